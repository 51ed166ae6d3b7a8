"""What covering the marked place must do to the probability of a class: the black-box match (eq. 6). No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.matches.masked_number import Fall, Shift, Swing
from ownmark.scoring.readings import Bools, Expected, Floats, Labels, Reading, check_share


@dataclass(frozen=True)
class _OfAChance:
    """What becomes of the probability of the expected class; `threshold`: a difference of probabilities."""

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 2
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 1
    legend: ClassVar[str] = "An arrow stands between the probability of the class before and after the covering."
    area: ClassVar[None] = None
    threshold: float

    def __post_init__(self) -> None:
        check_share(self.threshold)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): by how much the probability falls."""
        return _lost(observed, expected)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        before, after = (100 * observed[0, view, np.ravel(expected)[0]] for view in (0, 1))
        return f"{before:.0f}\N{RIGHTWARDS ARROW}{after:.0f}\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Drop(_OfAChance):
    """The probability of the expected class falls by at least `threshold` from the first view to the second (masked) one.

    The signed form of eq. 6 of Zhang, Pan, Zhang 2024: a rise never counts.
    """

    did: ClassVar[str] = "became clearly less sure of the image's class when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"lost at least {self.threshold:.3g} of the probability of its class when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return _lost(observed, expected) >= self.threshold

    def of_number(self, threshold: float, reading: Reading) -> Fall:
        """The same match of a number told."""
        return Fall(threshold, reading)


@dataclass(frozen=True)
class Change(_OfAChance):
    """The probability of the expected class changes by at least `threshold` between the views, either way (eq. 6)."""

    sides: ClassVar[int] = 2
    did: ClassVar[str] = "changed its confidence in the image's class when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"changed the probability of its class by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.abs(_lost(observed, expected)) >= self.threshold

    def of_number(self, threshold: float, reading: Reading) -> Shift:
        """The same match of a number told."""
        return Shift(threshold, reading)


@dataclass(frozen=True)
class Turn(_OfAChance):
    """Covered, a sample gets the protected model's own class, and its label has lost at least `threshold` of probability.

    `expected` (n, 2): the label, and the model's own answer. Stricter than `Drop`: an innocent model has no reason to give it.
    """

    paired: ClassVar[bool] = True
    did: ClassVar[str] = "fell back to the protected model's own class when {place} was covered"

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

    def of_number(self, threshold: float, reading: Reading) -> Swing:
        """The same match of a number told."""
        return Swing(threshold, reading)


def _lost(observed: Floats, expected: Labels) -> Floats:
    rows = np.arange(len(expected))
    return np.asarray(observed[rows, 0, expected] - observed[rows, 1, expected])
