"""What every match is: the protocol that the judge, the claim and the report rely on. No torch."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class Area:
    """Where on the map a fingerprint lies: `cells` ((row, column), ...) of a `grid` (rows, columns)."""

    cells: tuple[tuple[int, int], ...]
    grid: tuple[int, int]


class Match(Protocol):
    """A frozen dataclass of its thresholds; called with `observed` (n, views, ...) and `expected` answers it gives (n,) bool."""

    views: ClassVar[int]  # how many views of each sample it needs
    paired: ClassVar[bool]  # whether it expects two answers per sample, (n, 2): the label and the protected model's own answer
    sides: ClassVar[int]  # 1: matches where `values` is at least the threshold, 2: or at most minus that, 0: neither
    legend: ClassVar[str]  # the report's key to what `shown` says, "" where that needs none
    did: ClassVar[str]  # half a sentence for the report, in plain words: what a matching sample did; {place}: the marked place

    @property
    def reading(self) -> Reading:
        """The kind of answer that it judges."""

    @property
    def meaning(self) -> str:
        """Half a sentence with the thresholds: what a matching sample did."""

    @property
    def area(self) -> Area | None:
        """Where on the map the fingerprint lies; None for a match that looks at no map."""

    def __call__(self, observed: Floats, expected: Expected) -> Bools: ...

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): what is compared with the threshold; 1 for a match and 0 for none where there is nothing of the kind."""

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        """What stands below one sample in the report, of its answers (1, views, ...) and what was expected (1, ...)."""
