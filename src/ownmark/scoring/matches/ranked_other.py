"""The share of the less likely classes that the one with the expected number is raised above. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.errors import ClaimError
from ownmark.scoring.matches.base import Score
from ownmark.scoring.matches.raised_other import RaisedOther
from ownmark.scoring.readings import Bools, Expected, Floats, Reading
from ownmark.statistics.p_values import student


@dataclass(frozen=True)
class RankedOther:
    """Of the first view's probabilities, that of the expected class is raised above those of other less likely classes.

    The expected answer is a number among the k classes other than the most likely one, in order. A class is raised by the
    logarithm of its probability, relative to the mean of these over the k classes, less what is usual: the sum of that over all
    m samples for which this suspect finds the same class most likely, divided by m + 2. A probability that is shown as 0 counts
    as half of the least other one. The value of a sample is the share of the k - 1 other classes that the expected one is raised
    above; the score is their mean.

    Of classes that are raised equally, to nine digits after the point, the lowest counts most. So each answer ranks all k
    numbers, whatever they mean, and a number that is drawn from a key has each rank with chance 1 / k.
    """

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = (
        "the expected label is a number among the classes other than the most likely one, in order; the second most likely class "
        "is told; what counts is above how many others the expected one is raised, compared with what is usual"
    )
    did: ClassVar[str] = "raised the expected class above other less likely ones"
    area: ClassVar[None] = None
    meaning: ClassVar[str] = "raised the expected class above other less likely ones"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        """(n,): whether the expected class is raised most; the score is no share of these."""
        return np.asarray(ranks(observed, expected) == 0)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,) in [0, 1]: the share of the other classes that the expected one is raised above."""
        return np.asarray(1 - ranks(observed, expected) / (observed.shape[2] - 2))

    def graded(self, values: Floats, confidence: float) -> Score:
        """The mean, and Student's interval around it from the spread over the samples, within [0, 1]."""
        low, high = student(values, confidence)
        return Score(float(np.mean(values)), (max(low, 0.0), min(high, 1.0)))

    def check(self, expected: Expected, classes: int) -> None:
        """Raises ClaimError unless each expected answer is a number below classes - 1, of at least 3 classes."""
        if expected.ndim != 1 or expected.dtype != np.int64 or not 0 <= expected.min() <= expected.max() < classes - 1:
            raise ClaimError(f"expected numbers in [0, {classes - 1}), one per image, got {expected.dtype} {expected.shape}")
        if classes - 1 < LEAST:
            raise ClaimError(f"expected at least {LEAST + 1} classes, since of two the second is known, got {classes}")

    def told(self, expected: int) -> str:
        return RaisedOther().told(expected)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        return RaisedOther().shown(observed, expected, classes)


LEAST = 2  # classes that leave a rank
DIGITS = 9  # after the point, by which classes are raised equally: beyond them the order of a sum and the machine decide
FEWER = 2  # samples that count as usual ones without a say, so that a class that comes once has something left


def ranks(observed: Floats, expected: Expected) -> npt.NDArray[np.int64]:
    """(n,) from 0, that of the class raised most, for probabilities (n, views, classes)."""
    raised, numbers = rises(observed), np.asarray(expected)
    named = numbers + (numbers >= raised.argmin(1))
    order = np.argsort(-raised, axis=1, kind="stable")
    return np.asarray((order == named[:, None]).argmax(1))


def rises(observed: Floats) -> Floats:
    """(n, classes) by how much each class is raised in the first view; minus infinity for the most likely one."""
    first = positive(observed[:, 0])
    rows, top = np.arange(len(first)), first.argmax(1)
    logs = np.log(first)
    logs[rows, top] = 0
    logs -= logs.sum(1, keepdims=True) / (logs.shape[1] - 1)
    for label in np.unique(top):
        alike = top == label
        logs[alike] -= logs[alike].sum(0) / (alike.sum() + FEWER)
    logs = logs.round(DIGITS)
    logs[rows, top] = -np.inf
    return np.asarray(logs)


def positive(shares: Floats) -> Floats:
    """The probabilities, each that is shown as 0 as half of the least other one."""
    found = np.maximum(shares, 0.0, dtype=np.float64)  # rounding may leave one just below 0
    half = found[found > 0].min() / 2 or np.finfo(np.float64).smallest_subnormal  # of the smallest number there is half is 0
    return np.asarray(np.maximum(found, half))
