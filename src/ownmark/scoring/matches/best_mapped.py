"""The best of several tests' scores, each mapped onto one scale, fixed before any suspect is asked. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from scipy.special import expit

from ownmark.errors import ClaimError
from ownmark.scoring.matches.base import Match, Score
from ownmark.scoring.matches.best_of import BestOf
from ownmark.scoring.readings import Bools, Expected, Floats, Reading, is_number


@dataclass(frozen=True)
class BestMapped:
    """The highest of the scores of the claim's `tests`, by their places, each as its curve maps it; innocents are scored alike.

    `curves`: per test the score that counts as one half, and the width of the logistic curve around it; None: it counts as it is.
    They are fixed in the claim, before any suspect or innocent model is asked. All else is as with `BestOf`.
    """

    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = BestOf.did
    area: ClassVar[None] = None
    reading: Reading
    tests: tuple[int, ...]
    curves: tuple[tuple[float, float] | None, ...]

    def __post_init__(self) -> None:
        _ = self._plain
        if not isinstance(self.curves, tuple) or not all(curve is None or _is_curve(curve) for curve in self.curves):
            raise ClaimError(f"expected a middle and a positive width, or null, per test, got {self.curves!r}")
        if len(self.curves) != len(self.tests):
            raise ClaimError(f"expected a curve per test, {len(self.tests)}, got {len(self.curves)}")

    @property
    def meaning(self) -> str:
        return self._plain.meaning

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self._plain(observed, expected)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self._plain.values(observed, expected)

    def graded(self, values: Floats, confidence: float) -> Score:
        return self._plain.graded(values, confidence)

    def counted(self, place: int, score: Score) -> Score:
        """The score of the test in that place as it is compared with the others."""
        curve = self.curves[self.tests.index(place)]
        if curve is None:
            return score
        middle, width = curve
        value, low, high = (float(expit((one - middle) / width)) for one in (score.value, *score.interval))
        return Score(value, (low, high))

    def of(self, scores: Mapping[int, Score]) -> Score:
        """The best of them, mapped."""
        return self._plain.of({place: self.counted(place, score) for place, score in scores.items()})

    def check_parts(self, matches: Sequence[Match]) -> None:
        """Raises ClaimError as `BestOf` does."""
        self._plain.check_parts(matches)

    def check(self, expected: Expected, classes: int) -> None:
        self._plain.check(expected, classes)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        return self._plain.shown(observed, expected, classes)

    @property
    def _plain(self) -> BestOf:
        """The same without the curves."""
        return BestOf(self.reading, self.tests)


def _is_curve(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value)) and value[1] > 0  # noqa: PLR2004
