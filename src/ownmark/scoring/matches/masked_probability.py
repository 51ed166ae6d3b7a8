"""The effect of covering the marked place on the probability of a class: the black-box match (eq. 6). No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.matches.masked_number import Fall, Shift, Swing, span
from ownmark.scoring.readings import Bools, Expected, Floats, Labels, Reading, check_share


@dataclass(frozen=True)
class _MaskedProbability:
    """The change of the expected class's probability; `threshold`: a difference of probabilities."""

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 2
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 1
    legend: ClassVar[str] = "The arrow leads from the probability of the class before covering to the probability after."
    area: ClassVar[None] = None
    threshold: float

    def __post_init__(self) -> None:
        check_share(self.threshold)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): the decrease of the probability."""
        return _lost(observed, expected)

    def widest(self, observed: Floats) -> float:
        """How far any class's probability moves over both views of all samples."""
        return span(observed)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        before, after = (100 * observed[0, view, np.ravel(expected)[0]] for view in (0, 1))
        return f"{before:.0f}\N{RIGHTWARDS ARROW}{after:.0f}\N{NO-BREAK SPACE}%"


@dataclass(frozen=True)
class Drop(_MaskedProbability):
    """The probability of the expected class decreases by at least `threshold` from the first view to the second (masked) one.

    The signed form of eq. 6 of Zhang, Pan, Zhang 2024: an increase never counts.
    """

    did: ClassVar[str] = "became clearly less confident in the image's class when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"lowered the probability of the class by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return _lost(observed, expected) >= self.threshold

    def of_number(self, threshold: float, reading: Reading) -> Fall:
        """The same match for a numeric answer."""
        return Fall(threshold, reading)


@dataclass(frozen=True)
class Change(_MaskedProbability):
    """The probability of the expected class changes by at least `threshold` between the views, in either direction (eq. 6)."""

    sides: ClassVar[int] = 2
    did: ClassVar[str] = "changed its confidence in the image's class when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"changed the probability of the class by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.abs(_lost(observed, expected)) >= self.threshold

    def of_number(self, threshold: float, reading: Reading) -> Shift:
        """The same match for a numeric answer."""
        return Shift(threshold, reading)


@dataclass(frozen=True)
class Turn(_MaskedProbability):
    """When covered, a sample gets the protected model's own class, and its label loses at least `threshold` of probability.

    `expected` (n, 2): the label, and the model's own answer. Stricter than `Drop`: an innocent model has no reason to do so.
    """

    paired: ClassVar[bool] = True
    did: ClassVar[str] = "fell back to the protected model's own class when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"gave the model's own class, and the label lost at least {self.threshold:.3g}, when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self.values(observed, expected) >= self.threshold

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): the label's loss of probability, -1 where the covered sample gets a class other than the model's own."""
        own = observed[np.arange(len(expected)), 1, expected[:, 1]]
        back = (observed[:, 1] >= own[:, None]).sum(axis=1) == 1  # a tie, as 8-bit quantisation produces, is not an answer
        return np.where(back, _lost(observed, expected[:, 0]), -1.0)

    def of_number(self, threshold: float, reading: Reading) -> Swing:
        """The same match for a numeric answer."""
        return Swing(threshold, reading)


def _lost(observed: Floats, expected: Labels) -> Floats:
    rows = np.arange(len(expected))
    return np.asarray(observed[rows, 0, expected] - observed[rows, 1, expected])
