"""Claims of keyed labels and suspects that carry their mark on a share of the triggers, known beforehand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Claim, Test
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement, Match
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Answers, Labels, Reading

AGREEMENT = Agreement()


def marked_claim(
    number: int = 0,
    *,
    triggers: int = 100,
    classes: int = 10,
    grinding: int = 64,
    target: float = 1.0,
    rule: Match = AGREEMENT,
) -> Claim:
    """A claim whose trigger number i is one grey pixel of value i, so that a suspect can tell which one it is asked about."""
    key = np.random.default_rng(number).bytes(32).hex()
    null = KeyedLabels.read_by(rule, classes, key, triggers, sets=1, grinding=grinding)
    images = np.arange(triggers, dtype=np.uint8).reshape(triggers, 1, 1, 1, 1)
    names = tuple(f"class {place}" for place in range(classes))
    return Claim(images, (Test(rule.reading, rule, null.labels(), target, "", null),), names, "marked", "m")


@dataclass
class Answering:
    """A suspect that answers trigger number i with `labels[i]`; `asked`: the numbers, in the order in which they came."""

    labels: Labels
    name: str = "answering"
    digest: str = ""
    reveals: frozenset[Reading] = frozenset({Reading.LABEL})
    asked: list[int] = field(default_factory=list)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        rows = images[:, 0, 0, 0]
        self.asked += rows.tolist()
        return dict.fromkeys(question.readings, self.labels[rows])


@dataclass
class Undertoned(Answering):
    """A suspect that gives `labels[i]` the second highest of its probabilities."""

    reveals: frozenset[Reading] = frozenset({Reading.PROBABILITY})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        said, classes = Answering.read(self, images, question)[Reading.PROBABILITY], 10
        return {Reading.PROBABILITY: 0.4 * np.eye(classes)[said] + 0.6 * np.eye(classes)[(said + 1) % classes]}


def copy_of(claim: Claim, rate: float, rng: np.random.Generator) -> Answering:
    """A copy in which the mark of each trigger survived with that chance; the others get another label."""
    expected = claim.tests[0].expected
    classes = len(claim.classes)
    other = (expected + rng.integers(1, classes, len(expected))) % classes
    return Answering(np.where(rng.random(len(expected)) < rate, expected, other))


INNOCENT: dict[str, Callable[[int, int, np.random.Generator], Labels]] = {
    "any class alike": lambda count, classes, rng: rng.integers(0, classes, count),
    "one class always": lambda count, classes, rng: np.full(count, rng.integers(classes)),
    "few classes": lambda count, classes, rng: rng.choice(classes, count, p=rng.dirichlet(np.full(classes, 0.3))),
    "classes in turn": lambda count, classes, _: np.arange(count) % classes,
}


def innocent_of(claim: Claim, number: int) -> Answering:
    """An innocent model, which knows no key: one of four kinds, in turn."""
    kind = list(INNOCENT.values())[number % len(INNOCENT)]
    return Answering(kind(len(claim.images), len(claim.classes), np.random.default_rng([number, 1])))
