"""The crossed residual: how far an answer deviates from independent models as the protected model's does. Graded. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ownmark.errors import ClaimError
from ownmark.scoring.matches.base import Score
from ownmark.scoring.readings import Bools, Expected, Floats, Reading, is_number
from ownmark.statistics.p_values import student

NOTHING = 1e-9  # below which what a model has of its own is rounding
READINGS = (Reading.LABEL, Reading.BEST, Reading.PROBABILITY, Reading.VALUE, Reading.SIMILARITY, Reading.EMBEDDING)


@dataclass(frozen=True)
class CrossedResidual:
    """An answer, written as numbers (`features`), is weighed against what the protected model and the owner's references answer.

    `expected` (n, k + 1): per image the k weights and an offset; `values` are the weighed features minus the offset. Their
    mean, the residual, is 1 on the protected model and about 0 on an independent one. A logistic curve maps it to the score, so
    that innocent models do not tie: `middle` scores one half, and `middle` plus or minus 3 times the `width` scores 0.95 or
    0.05. Both are fixed in the claim, before any suspect or innocent model is asked.

    With `views` above 1 each view of a sample is an image of its own, and `expected` (n, views * (k + 1)) has their weights in a
    row.
    """

    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = "A residual is 0 on average for an independent model and 1 for the protected one."
    did: ClassVar[str] = "deviated from independent models in the protected model's direction"
    area: ClassVar[None] = None
    middle: float
    width: float
    reading: Reading = Reading.PROBABILITY
    views: int = 1

    def __post_init__(self) -> None:
        if self.reading not in READINGS:
            raise ClaimError(f"a residual can be taken of {', '.join(READINGS)}, got {self.reading!r}")
        if type(self.views) is not int or self.views < 1:
            raise ClaimError(f"expected at least one view per sample, got {self.views!r}")
        if not is_number(self.middle) or not is_number(self.width) or self.width <= 0:
            raise ClaimError(
                f"expected a residual that scores one half and a positive width, got {self.middle!r}, {self.width!r}"
            )

    @property
    def meaning(self) -> str:
        return f"deviated from independent models as the protected one does (a residual of {self.middle:.3g} scores one half)"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        """(n,): whether the image speaks for a copy at all; the score is no share of these."""
        return self.values(observed, expected) > 0

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): the residual of each sample, the mean of its views'."""
        found, weights = self._weighed(observed, expected)
        residuals = (found * weights[:, :-1]).sum(axis=1) - weights[:, -1]
        return np.asarray(residuals.reshape(-1, self.views).mean(axis=1))

    def common(self, observed: Floats, expected: Expected) -> float:
        """The part of the residual that one answer to all images would have, the mean of those that were given."""
        found, weights = self._weighed(observed, expected)
        return float((found.mean(axis=0) * weights[:, :-1].mean(axis=0)).sum() - weights[:, -1].mean())

    def alike(self, expected: Expected) -> float:
        """How much of the weights is the same for all images, in [0, 1]."""
        return _same(expected.reshape(len(expected) * self.views, -1)[:, :-1])

    def varied(self, observed: Floats, expected: Expected) -> float:
        """How much of the answers differs from image to image, in [0, 1]: 0 if all are the same."""
        return 1 - _same(self._weighed(observed, expected)[0])

    def _weighed(self, observed: Floats, expected: Expected) -> tuple[Floats, Floats]:
        """All answers as numbers (n * views, k), and their weights with the offset (n * views, k + 1)."""
        count = len(expected) * self.views
        weights = expected.reshape(count, -1)
        shown = observed[:, : self.views].reshape(count, *observed.shape[2:])
        return features(self.reading, shown, weights.shape[1] - 1), weights

    def graded(self, values: Floats, confidence: float) -> Score:
        """The mapped mean, and Student's interval around it from the spread over the images."""
        low, high = student(values, confidence)
        return Score(self.mapped(float(np.mean(values))), (self.mapped(low), self.mapped(high)))

    def mapped(self, residual: float) -> float:
        """A residual as a score in [0, 1]."""
        return float(expit((residual - self.middle) / self.width))

    def anew(self, target: Floats, suspect: Floats, others: Floats, classes: int) -> float | None:
        """The residual of answers (n, ...) among those of `others` (models, n, ...), without weights."""
        own, seen, *rest = (features(self.reading, answers, classes) for answers in (target, suspect, *others))
        return crossed(own, seen, np.stack(rest))

    def check(self, expected: Expected, classes: int) -> None:
        """Raises ClaimError unless the weights fit the reading's answers to as many images."""
        every = len(expected) * self.views
        parts = dict.fromkeys((Reading.LABEL, Reading.BEST, Reading.PROBABILITY), classes) | {Reading.EMBEDDING: every}
        shape = (len(expected), self.views * (parts.get(self.reading, 1) + 1))
        if expected.shape != shape or expected.dtype != np.float64 or not np.all(np.isfinite(expected)):
            raise ClaimError(f"expected finite weights and an offset per image, {shape}, got {expected.dtype} {expected.shape}")

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return "see the score" if self.reading is Reading.EMBEDDING else f"residual {self.values(observed, expected)[0]:.2f}"


def _same(rows: Floats) -> float:
    """How much of the rows (n, k) is their mean, in [0, 1]."""
    return float((rows.mean(axis=0) ** 2).sum() / max((rows**2).sum(axis=1).mean(), NOTHING))


def crossed(target: Floats, suspect: Floats, others: Floats) -> float | None:
    """The crossed residual of a suspect's features (n, k) without a claim: against `others` (models, n, k), at least two.

    What it shares with the target, divided by all that the target has of its own; None if that is nothing.
    """
    whole = shared(target, target, others)
    return shared(target, suspect, others) / whole if whole > NOTHING else None


def shared(target: Floats, suspect: Floats, others: Floats) -> float:
    """The mean over images and i != j of <target - others_i, suspect - others_j>; all as in `crossed`."""
    count, total = len(others), others.sum(axis=0)
    among = float((total * total).sum() - (others * others).sum())
    pairs = count * (count - 1) * (target * suspect).sum() - (count - 1) * ((target + suspect) * total).sum()
    return (float(pairs) + among) / (count * (count - 1) * len(target))


def features(reading: Reading, answers: Floats, parts: int) -> Floats:
    """Answers (n, ...) as numbers (n, parts) whose inner products compare them.

    Of probabilities the square roots, of labels 1 at the label, of numbers and similarities themselves, of embeddings their
    cosines with those of all images, which no rotation changes.
    """
    if reading is Reading.LABEL:
        return np.eye(parts)[answers.astype(np.int64)]
    if reading in {Reading.PROBABILITY, Reading.BEST}:
        return np.sqrt(np.clip(answers, 0, 1))
    if reading is Reading.EMBEDDING:
        units = answers / np.maximum(np.linalg.norm(answers, axis=1, keepdims=True), 1e-12)
        return np.asarray(units @ units.T)
    return np.asarray(answers, dtype=np.float64)[:, None]
