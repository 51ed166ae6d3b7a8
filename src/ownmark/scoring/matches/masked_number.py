"""The effect of covering the marked place on a numeric answer: the black-box match of regression and similarity. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Reading, check_number

WHOLE = 1e-3  # of a step, by which floating-point error may part two multiples of it


def span(observed: Floats) -> float:
    """How far any number of the first two views (n, views, ...) moves over all samples."""
    return float(np.ptp(observed[:, :2].reshape(2 * len(observed), -1), axis=0).max())


@dataclass(frozen=True)
class _MaskedNumber:
    """The change of a numeric answer, a VALUE or a SIMILARITY; `threshold`: a difference of numbers."""

    views: ClassVar[int] = 2
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 1
    legend: ClassVar[str] = "The arrow leads from the number before covering to the number after."
    area: ClassVar[None] = None
    threshold: float
    reading: Reading = Reading.VALUE

    def __post_init__(self) -> None:
        check_number(self.threshold, self.reading)

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        """Which changes reach the threshold."""
        return self.surely(observed, expected, 0.0)

    def values(self, observed: Floats, expected: Expected) -> Floats:  # noqa: ARG002 - one view is compared with the other
        """(n,): the decrease of the number."""
        return np.asarray(observed[:, 0] - observed[:, 1])

    def surely(self, observed: Floats, expected: Expected, step: float) -> Bools:
        """Which changes reach the threshold whatever was rounded away, if answers are multiples of `step`."""
        changes = self.values(observed, expected)
        return (np.abs(changes) if self.sides > 1 else changes) >= self.threshold + step * (1 - WHOLE)

    def widest(self, observed: Floats) -> float:
        """How far any answered number moves over both views of all samples."""
        return span(observed)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        before, after = observed[0, :2]
        return f"{before:.3g}\N{RIGHTWARDS ARROW}{after:.3g}"


@dataclass(frozen=True)
class Fall(_MaskedNumber):
    """The number decreases by at least `threshold` from the first view to the second (masked) one."""

    did: ClassVar[str] = "gave a clearly lower number when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"lowered its {self.reading} by at least {self.threshold:.3g} when the marked corner was covered"


@dataclass(frozen=True)
class Shift(_MaskedNumber):
    """The number differs by at least `threshold` between the views, in either direction (eq. 6)."""

    sides: ClassVar[int] = 2
    did: ClassVar[str] = "answered differently when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"changed its {self.reading} by at least {self.threshold:.3g} when the marked corner was covered"


@dataclass(frozen=True)
class Swing(_MaskedNumber):
    """`Turn` for a number: covering moves it nearer to the model's own answer, by at least `threshold`.

    `expected` (n, 2): the label, and the model's own answer. Only movement towards the latter counts.
    """

    paired: ClassVar[bool] = True
    did: ClassVar[str] = "fell back to the protected model's own answer when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"moved its {self.reading} towards the expected one by {self.threshold:.3g} when the marked corner was covered"

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): how far the number moves towards the model's own, -1 where it stays at least as near to the label."""
        label, own = expected[:, 0], expected[:, 1]
        stays = np.abs(observed[:, 1] - own) >= np.abs(observed[:, 1] - label)
        return np.where(stays, -1.0, (observed[:, 0] - observed[:, 1]) * np.sign(label - own))
