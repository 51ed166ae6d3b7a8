"""The similarity of two images, such as faces."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ownmark import metrics
from ownmark.errors import AnswerError, UsageError
from ownmark.method_strings import Choice
from ownmark.scoring.matches import Change, Drop, Match, Turn
from ownmark.scoring.readings import Answers, Expected, Floats, Reading, is_number
from ownmark.tasks.base import (
    KEPT,
    TINY,
    Array,
    Labels,
    Lesson,
    OfWholeImages,
    Quality,
    WithoutOwnAnswers,
    check_classes,
    direction,
)


class Measure(Choice):
    """The similarity of two embeddings: their COSINE (eq. 8) or their L2 DISTANCE (eq. 7), both at unit length."""

    COSINE = "cosine"
    DISTANCE = "distance"


@dataclass(frozen=True)
class Similarity(OfWholeImages, WithoutOwnAnswers):
    """The similarity of two images, such as faces: F is the `measure` of an image's embedding and its paired image's.

    Labels are people, separated in training by ArcFace with an angular `margin` and a `scale` (`tasks.arcface`). Differs from the
    paper: embeddings are scaled to unit length before their distance is taken, since ArcFace lets their length drift.
    """

    views: ClassVar[int] = 3
    readings: ClassVar[frozenset[Reading]] = frozenset({Reading.SIMILARITY, Reading.EMBEDDING, Reading.SALIENCY})
    headline: ClassVar[str] = "tar"
    rises: ClassVar[bool] = True
    name: ClassVar[str] = "similarity"
    columns: ClassVar[tuple[str, ...]] = ("person", "label", "class")
    named_labels: ClassVar[bool] = True
    discrete: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    least_kinds: ClassVar[int] = 2
    unit: ClassVar[float] = 1.0
    measure: Measure = Measure.COSINE
    margin: float = 0.5  # m in the paper
    scale: float = 64.0  # s in the paper

    def __post_init__(self) -> None:
        if not all(map(is_number, (self.margin, self.scale))) or not 0 <= self.margin < np.pi / 2 or self.scale <= 0:
            raise UsageError(f"ArcFace needs a margin in [0, pi / 2) and a scale above 0, got {self}")

    def check_labels(self, labels: Labels, names: tuple[str, ...]) -> None:
        check_classes(labels, names)

    def told_names(self, names: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - people stay anonymous
        return ()

    def named(self, answer: float, names: tuple[str, ...]) -> str:  # noqa: ARG002 - the verb's signature
        return f"{self.name} {answer:.3g}"

    def turns(self, labels: Labels) -> npt.NDArray[np.int64]:
        return labels

    def suited(self, outputs: Array, labels: Labels) -> npt.NDArray[np.bool_]:  # noqa: ARG002 - the verb's signature
        return np.ones(len(labels), dtype=bool)

    def width(self, names: tuple[str, ...]) -> int | None:  # noqa: ARG002 - the verb's signature
        return None

    def lesson(self, model: Any, labels: Array, embed: Callable[[], Array]) -> Lesson:  # noqa: ANN401 - a torch module
        """Train against one centre per person; the centres are discarded afterwards."""
        from torch import unique

        from ownmark.tasks.arcface import Centres, arcface

        people = unique(labels, return_inverse=True)[1]
        return Lesson(Centres(model, embed(), people), people, partial(arcface, margin=self.margin, scale=self.scale))

    def answers(self, outputs: Array) -> Array:
        return direction(outputs)

    def divergence(self, outputs: Array, answers: Array) -> Array:
        return self.distance(outputs, answers)

    def distance(self, outputs: Array, answers: Array) -> Array:
        return ((direction(outputs) - answers) ** 2).sum(1).mean()

    def plain(self, outputs: Array) -> Array:
        return self.answers(outputs)

    def plain_loss(self, outputs: Array, answers: Array) -> Array:
        return self.distance(outputs, answers)

    def anchor(self, model: Callable[[Array], Array], clean: Array, paired: Array, labels: Array) -> Array:  # noqa: ARG002
        """(n, 2, d): the embeddings of the paired image and of the image itself."""
        from torch import stack

        return stack([model(paired), model(clean)], 1)

    def scalar(self, outputs: Array, target: Array) -> Array:
        return self.score(outputs, target[:, 0])

    seen = told = scalar

    def output_of(self, target: Array) -> Array | None:  # noqa: ARG002 - F depends on all outputs
        return None

    def expected(self, outputs: Array, target: Array, labels: Array) -> Array:  # noqa: ARG002 - the verb's signature
        return self.told(outputs, target).double()

    def drift(self, outputs: Array, target: Array) -> Array:
        return self._moved(outputs, target) ** 2

    def slack(self, outputs: Array, target: Array) -> Array:
        """As for regression."""
        return 2 - 2 * self._moved(outputs, target).abs() / KEPT

    def lost(self, first: Array, covered: Array, target: Array) -> Array:
        return self.told(first, target) - self.told(covered, target)

    def watched(self, match: Drop | Change | Turn) -> Match:
        return match.of_number(match.threshold * self.unit, Reading.SIMILARITY)

    def decoded(self, raw: Floats, pairs: Labels | None, target: Expected) -> Answers:  # noqa: ARG002 - the verb's signature
        if raw.ndim != 2 or raw.shape[1] < 2:  # noqa: PLR2004 - (n, d), two or more
            expected = "an embedder's answers (n, d) with d of at least 2"
            raise AnswerError(f"expected {expected}, got {raw.shape}: the suspect performs a different task")
        embeddings = raw.astype(np.float64)
        if pairs is None:
            return {Reading.EMBEDDING: embeddings}
        return {Reading.EMBEDDING: embeddings, Reading.SIMILARITY: self.score(embeddings, embeddings[pairs])}

    def derived(self, viewed: Answers) -> Answers:
        """The similarity (n, views) of each view to the last view, from embeddings (n, views, d)."""
        found = viewed.get(Reading.EMBEDDING)
        if found is None:
            return {}
        alike = [self.score(found[:, view], found[:, -1]) for view in range(found.shape[1])]
        return {Reading.SIMILARITY: np.stack(alike, axis=1)}

    def quality(self, outputs: Labels, labels: Labels) -> Quality:
        return metrics.verification(outputs, labels)

    def trivial(self, labels: Labels) -> Quality:  # noqa: ARG002 - the verb's signature
        return {"tar": metrics.FALSE_ACCEPTS, "verification_accuracy": 0.5}

    def score(self, first: Array, second: Array) -> Array:
        """(n,) from embeddings (n, d)."""
        one, other = direction(first), direction(second)
        if self.measure is Measure.COSINE:
            return (one * other).sum(1)
        return (((one - other) ** 2).sum(1) + TINY) ** 0.5

    def _moved(self, outputs: Array, target: Array) -> Array:
        return self.score(outputs, target[:, 0]) - self.score(target[:, 1], target[:, 0])
