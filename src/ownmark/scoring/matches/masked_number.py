"""What covering the marked place must do to the number told: the black-box match of regression and similarity. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Reading, check_number


@dataclass(frozen=True)
class _OfANumber:
    """What becomes of the number told, a VALUE or a SIMILARITY; `threshold`: a difference of numbers."""

    views: ClassVar[int] = 2
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 1
    legend: ClassVar[str] = "An arrow stands between the number before and after the covering."
    area: ClassVar[None] = None
    threshold: float
    reading: Reading = Reading.VALUE

    def __post_init__(self) -> None:
        check_number(self.threshold, self.reading)

    def values(self, observed: Floats, expected: Expected) -> Floats:  # noqa: ARG002 - one view is compared with the other
        """(n,): by how much the number falls."""
        return np.asarray(observed[:, 0] - observed[:, 1])

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        before, after = observed[0, :2]
        return f"{before:.3g}\N{RIGHTWARDS ARROW}{after:.3g}"


@dataclass(frozen=True)
class Fall(_OfANumber):
    """The number told falls by at least `threshold` from the first view to the second (masked) one."""

    did: ClassVar[str] = "answered clearly less when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"lost at least {self.threshold:.3g} of its {self.reading} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self.values(observed, expected) >= self.threshold


@dataclass(frozen=True)
class Shift(_OfANumber):
    """The number told differs by at least `threshold` between the views, either way (eq. 6)."""

    sides: ClassVar[int] = 2
    did: ClassVar[str] = "answered differently when {place} was covered"

    @property
    def meaning(self) -> str:
        return f"changed its {self.reading} by at least {self.threshold:.3g} when the marked corner was covered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.abs(self.values(observed, expected)) >= self.threshold


@dataclass(frozen=True)
class Swing(_OfANumber):
    """`Turn` for a number: covered, it is nearer to the model's own answer, and at least `threshold` away from uncovered.

    `expected` (n, 2): the label, and the model's own answer. Only what moves towards its own counts.
    """

    paired: ClassVar[bool] = True
    did: ClassVar[str] = "fell back to the protected model's own answer when {place} was covered"

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
