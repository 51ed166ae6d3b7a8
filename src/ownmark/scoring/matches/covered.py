"""Matches of two views: what covering the marked place must do to an answer. Pure functions, no torch.

Each is a frozen dataclass of its thresholds; called with what was observed and what was expected it gives (n,) bool.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Labels, Reading, check_number, check_share


@dataclass(frozen=True)
class _OfAChance:
    """What becomes of the probability of the expected class; `threshold`: a difference of probabilities."""

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 2
    threshold: float

    def __post_init__(self) -> None:
        check_share(self.threshold)


@dataclass(frozen=True)
class Drop(_OfAChance):
    """The probability of the expected class falls by at least `threshold` from the first view to the second (masked) one.

    The signed form of eq. 6 of Zhang, Pan, Zhang 2024: a rise never counts.
    """

    @property
    def meaning(self) -> str:
        return f"lost at least {self.threshold:.3g} of the probability of its class when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return _lost(observed, expected) >= self.threshold


@dataclass(frozen=True)
class Change(_OfAChance):
    """The probability of the expected class changes by at least `threshold` between the views, either way (eq. 6)."""

    @property
    def meaning(self) -> str:
        return f"changed the probability of its class by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.abs(_lost(observed, expected)) >= self.threshold


@dataclass(frozen=True)
class Turn(_OfAChance):
    """Covered, a sample gets the protected model's own class, and its label has lost at least `threshold` of probability.

    `expected` (n, 2): the label, and the model's own answer. Stricter than `Drop`: an innocent model has no reason to give it.
    """

    @property
    def meaning(self) -> str:
        return f"gave the model's own class, its label losing {self.threshold:.3g} or more, when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self.values(observed, expected) >= self.threshold

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): the label's probability that is lost, -1 where the covered sample gets another class than the model's own."""
        own = observed[np.arange(len(expected)), 1, expected[:, 1]]
        back = (observed[:, 1] >= own[:, None]).sum(axis=1) == 1  # a tie, as eight bits make them, is no answer
        return np.where(back, _lost(observed, expected[:, 0]), -1.0)


@dataclass(frozen=True)
class _OfANumber:
    """What becomes of the number told, a VALUE or a SIMILARITY; `threshold`: a difference of numbers."""

    views: ClassVar[int] = 2
    threshold: float
    reading: Reading = Reading.VALUE

    def __post_init__(self) -> None:
        check_number(self.threshold, self.reading)


@dataclass(frozen=True)
class Fall(_OfANumber):
    """The number told falls by at least `threshold` from the first view to the second (masked) one."""

    @property
    def meaning(self) -> str:
        return f"lost at least {self.threshold:.3g} of its {self.reading} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:  # noqa: ARG002 - one view is compared with the other
        return np.asarray(observed[:, 0] - observed[:, 1] >= self.threshold)


@dataclass(frozen=True)
class Shift(_OfANumber):
    """The number told differs by at least `threshold` between the views, either way (eq. 6)."""

    @property
    def meaning(self) -> str:
        return f"changed its {self.reading} by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:  # noqa: ARG002 - one view is compared with the other
        return np.asarray(np.abs(observed[:, 0] - observed[:, 1]) >= self.threshold)


@dataclass(frozen=True)
class Swing(_OfANumber):
    """`Turn` for a number: covered, it is nearer to the model's own answer, and at least `threshold` away from uncovered.

    `expected` (n, 2): the label, and the model's own answer. Only what moves towards its own counts.
    """

    @property
    def meaning(self) -> str:
        return f"moved its {self.reading} by {self.threshold:.3g} towards the expected one when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self.values(observed, expected) >= self.threshold

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): how far the number moves towards the model's own, -1 where it stays as near to the label."""
        label, own = expected[:, 0], expected[:, 1]
        stays = np.abs(observed[:, 1] - own) >= np.abs(observed[:, 1] - label)
        return np.where(stays, -1.0, (observed[:, 0] - observed[:, 1]) * np.sign(label - own))


def _lost(observed: Floats, expected: Labels) -> Floats:
    rows = np.arange(len(expected))
    return np.asarray(observed[rows, 0, expected] - observed[rows, 1, expected])
