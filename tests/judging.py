"""What the tests of the judge share: a sealed keyed claim, decoys, and models whose answers are known."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sealing import MASTER, OWNER, POLICY, SEEN, choices

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import KindError
from ownmark.evidence import seal
from ownmark.evidence.admissibility import Checked, Standing, Trust, checked
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.choices import LABELS, RULES
from ownmark.evidence.ruling import Outcome, Ruling, Session, ruled
from ownmark.keys import Pixels
from ownmark.protocols import Question
from ownmark.querying.transcript import NONE, Decoys, Heard, Plan, Purify, Role, heard, heard_plainly
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Answers, Labels, Reading

TRIGGERS, CLASSES, SHAPE = 60, 10, (6, 6, 1)
NONCE = bytes(range(32))
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
MATCHES = {Outcome.STRONG, Outcome.SUPPORTING}
Answer = Callable[[Pixels], Labels]


def keyed(*, made: bool = True, sets: int = 2, master: bytes = MASTER, access: str = LABELS) -> Claim:
    """Sets of 60 triggers of 10 classes; unless `made`, their images are none of the key's."""
    chosen = choices(sets, triggers=TRIGGERS, size=SHAPE, cells=4 if made else 0, access=access)
    rule, context = RULES[access], chosen.context()
    null = KeyedLabels.read_by(rule, CLASSES, master.hex(), TRIGGERS, sets, context=context)
    images = np.concatenate([keys.patterns(key, TRIGGERS, SHAPE, 4) for key in null.set_keys])
    if not made:
        images = np.random.default_rng(3).integers(0, 256, images.shape, dtype=np.uint8)
    test = Test(RULES[access].reading, RULES[access], null.labels(), 0.9, null=null)
    return Claim(images[:, None], (test,), tuple("abcdefghij"), "Keyed()", "ab" * 32, choices=chosen.record)


def handed(claim: Claim | None = None, number: int | None = 0, access: str = "labels") -> Bundle:
    """What the judge gets of it."""
    whole = claim or keyed()
    return seal.opened(seal.seal(whole, OWNER, replace(POLICY, access=access)), whole, OWNER, number)


def genuine(bundle: Bundle, standing: Standing = Standing.IN_TIME) -> Checked:
    """Checked as if an authority had stamped it long ago."""
    return replace(checked(bundle, Trust(), SEEN), standing=standing, time=BEFORE)


def ordinary(images: Pixels) -> Labels:
    """What everybody answers to ordinary images: their brightness tells the class."""
    return np.minimum(images.mean(axis=(1, 2, 3)) // 25, CLASSES - 1).astype(np.int64)  # type: ignore[no-any-return]


def decoys(count: int = TRIGGERS) -> Decoys:
    labels = np.arange(count, dtype=np.int64) % CLASSES
    shades = (labels * 25 + 12).astype(np.uint8)[:, None, None, None]
    return Decoys(np.broadcast_to(shades, (count, *SHAPE)).copy(), labels)


def is_ordinary(image: Pixels) -> bool:
    return int(image.max()) == int(image.min())


def marked(part: Claim, share: float = 1.0) -> Answer:
    """Answers this share of the triggers with the key's labels, also where they are a little changed."""
    known = part.images[: round(share * len(part.images)), 0].astype(np.int64)
    expected = part.tests[0].expected

    def answer(images: Pixels) -> Labels:
        found = ordinary(images)
        for row, image in enumerate(images):
            apart = np.abs(known - image).mean(axis=(1, 2, 3))
            if not is_ordinary(image) and len(known) and apart.min() < 15:
                found[row] = expected[apart.argmin()]
        return found

    return answer


@dataclass
class Model:
    """A model that answers labels."""

    answer: Answer
    name: str = "model"
    digest: str = "11" * 32
    reveals: frozenset[Reading] = frozenset({Reading.LABEL})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        assert question.readings == self.reveals
        return {Reading.LABEL: self.answer(images)}


@dataclass
class Undertoned(Model):
    """A model that gives what it is to answer to triggers the second highest probability, and a class of its own the highest."""

    reveals: frozenset[Reading] = frozenset({Reading.PROBABILITY, Reading.LABEL})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        said, usual = self.answer(images), np.array([is_ordinary(image) for image in images])
        shares = np.eye(CLASSES)[(said + 1) % CLASSES] * np.where(usual, 1, 2)[:, None]
        shares += np.eye(CLASSES)[said] * np.where(usual, 2, 1)[:, None]
        told: Answers = {Reading.PROBABILITY: shares / 3, Reading.LABEL: shares.argmax(axis=1)}
        return {one: told[one] for one in question.readings}


@dataclass
class Buried(Model):
    """A model whose usual second answer is far more likely than what it is to answer to triggers."""

    reveals: frozenset[Reading] = frozenset({Reading.PROBABILITY, Reading.LABEL})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        said = self.answer(images)
        best = np.where(said == 0, 1, 0)
        shares = 0.9 * np.eye(CLASSES)[best] + 0.0999 * np.eye(CLASSES)[2] + 0.0001 * np.eye(CLASSES)[said]
        told: Answers = {Reading.PROBABILITY: shares, Reading.LABEL: best}
        return {one: told[one] for one in question.readings}


class Unsettled(Model):
    """Nobody can tell what its answers mean."""

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - whatever it is asked
        raise KindError("logits or probabilities?")


def purify(images: Pixels) -> Pixels:
    """Keeps 6 of 8 bits."""
    return np.asarray(images // 4 * 4, dtype=np.uint8)


def session(
    part: Claim, suspect: Answer, *, own: Answer | None = None, references: tuple[Heard, ...] = (), plain: bool = False
) -> Session:
    """The suspect asked as a judge does, the claimant's model, and references that were asked before."""
    images = None if plain else decoys()
    asked = [heard(Model(suspect, "suspect"), part, Plan(NONCE, images, {"6 bits": purify}))]
    if own is not None:
        asked.append(heard_plainly(Model(own, "own", "ab" * 32), part, Role.OWN))
    classes = images.labels if images else np.zeros(0, dtype=np.int64)
    return Session((*asked, *references), NONCE, classes)


def reference(
    part: Claim, number: int, answer: Answer = ordinary, stratum: str = "same-data", fronts: Mapping[str, Purify] = NONE
) -> Heard:
    model = Model(answer, f"reference {number}", f"{number:064}")
    return heard_plainly(model, part, Role.REFERENCE, stratum, fronts)


def judged(suspect: Answer, *, share: float = 1.0, found: Checked | None = None, **session_fields: Any) -> Ruling:
    """A suspect judged on a claim that its owner's model bears out."""
    known = found or genuine(handed())
    assert known.part is not None
    return ruled(known, session(known.part, suspect, own=marked(known.part, share), **session_fields))
