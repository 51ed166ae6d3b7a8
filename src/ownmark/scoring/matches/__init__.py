"""What a suspect can be asked, and when an answer counts as alike: named pure functions, no torch.

A match is a frozen dataclass of its thresholds. Called with what was observed and what was expected it gives (n,) bool.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ownmark.errors import ClaimError
from ownmark.scoring.matches.covered import Change, Drop, Fall, Shift, Swing, Turn
from ownmark.scoring.readings import NUMBERS, Bools, Expected, Floats, Labels, Reading, check_number, check_share, is_number

__all__ = [
    "NUMBERS",
    "Agreement",
    "Bools",
    "Change",
    "Drop",
    "Expected",
    "Fall",
    "Floats",
    "Labels",
    "Match",
    "Near",
    "OnPattern",
    "OnPatternAgainst",
    "Reading",
    "Shift",
    "Swing",
    "Turn",
    "Within",
    "from_record",
    "is_number",
    "to_record",
]


class Match(Protocol):
    """Called with `observed` (a reading's answers) and `expected` answers, classes (n,) or numbers; gives (n,) bool."""

    views: ClassVar[int]  # how many views of each sample it needs

    @property
    def reading(self) -> Reading:
        """The kind of answer that it judges."""

    @property
    def meaning(self) -> str:
        """Half a sentence for the report: what a matching sample did."""

    def __call__(self, observed: Floats, expected: Expected) -> Bools: ...


@dataclass(frozen=True)
class Agreement:
    """The label of the first view is the expected one."""

    reading: ClassVar[Reading] = Reading.LABEL
    views: ClassVar[int] = 1

    @property
    def meaning(self) -> str:
        return "got the expected label"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(observed[:, 0] == expected)


@dataclass(frozen=True)
class OnPattern:
    """The mean of the first view's map over `cells` ((row, column), ...) is at least `threshold` (eq. 5).

    Maps whose size is not `grid` (rows, columns) are averaged onto it first, so that another architecture can be asked.
    """

    reading: ClassVar[Reading] = Reading.SALIENCY
    views: ClassVar[int] = 1
    threshold: float
    cells: tuple[tuple[int, int], ...]
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        check_share(self.threshold)
        if not _is_pair(self.grid) or min(self.grid) < 1:
            raise ClaimError(f"a map's grid is two positive whole numbers, got {self.grid}")
        if not isinstance(self.cells, tuple) or not self.cells or not all(_lies_in(cell, self.grid) for cell in self.cells):
            raise ClaimError(f"cells are one or more (row, column) inside the grid {self.grid}, got {self.cells}")

    @property
    def meaning(self) -> str:
        return f"looked at the marked corner (map value there at least {self.threshold:.3g})"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:  # noqa: ARG002 - a map is of the expected class already
        return self.values(observed) >= self.threshold

    def values(self, observed: Floats) -> Floats:
        """(n,): the mean of each first view's map over the cells."""
        maps = observed[:, 0]
        if maps.shape[1:] != self.grid:
            maps = _regrid(maps, self.grid)
        rows, columns = zip(*self.cells, strict=True)
        return np.asarray(maps[:, list(rows), list(columns)].mean(axis=1))


@dataclass(frozen=True)
class OnPatternAgainst(OnPattern):
    """The same of a map of what speaks for the label and against the protected model's own answer; `expected` (n, 2): both.

    Where a suspect does not give that answer to the second (masked) view, there is nothing to explain: its map is empty.
    """

    views: ClassVar[int] = 2

    @property
    def meaning(self) -> str:
        return f"gave the model's own answer when the marked corner was covered, and looked there (at least {self.threshold:.3g})"


@dataclass(frozen=True)
class Within:
    """The number told about the first view (a VALUE or a SIMILARITY) is at most `threshold` from the expected one (n,)."""

    views: ClassVar[int] = 1
    threshold: float
    reading: Reading = Reading.VALUE

    def __post_init__(self) -> None:
        check_number(self.threshold, self.reading)

    @property
    def meaning(self) -> str:
        return f"got the expected {self.reading}, give or take {self.threshold:.3g}"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(np.abs(observed[:, 0] - expected) <= self.threshold)


@dataclass(frozen=True)
class Near:
    """The cosine between the first view's embedding and the expected one (n, d) is at least `threshold`."""

    reading: ClassVar[Reading] = Reading.EMBEDDING
    views: ClassVar[int] = 1
    threshold: float

    def __post_init__(self) -> None:
        check_share(self.threshold)

    @property
    def meaning(self) -> str:
        return f"got the expected embedding (cosine at least {self.threshold:.3g})"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        first = observed[:, 0]
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(expected, axis=1)
        return np.asarray((first * expected).sum(axis=1) >= self.threshold * lengths)


MATCHES: tuple[type, ...] = (Agreement, Drop, Change, Turn, OnPattern, OnPatternAgainst, Fall, Shift, Swing, Within, Near)


def to_record(match: Match) -> dict[str, Any]:
    """Plain JSON data of a match: its name and its parameters."""
    return {"name": type(match).__name__, **asdict(match)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Match:
    """The match that `to_record` described. Raises ClaimError for one that this version does not know."""
    kinds = {kind.__name__: kind for kind in MATCHES}
    values = {key: _tuples(value) for key, value in record.items() if key != "name"}
    try:
        values |= {key: Reading(value) for key, value in values.items() if key == "reading"}
        match: Match = kinds[record["name"]](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(f"this version knows no match {dict(record)}; it knows {', '.join(kinds)}") from error
    return match


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(type(part) is int for part in value)  # noqa: PLR2004


def _lies_in(cell: tuple[int, int], grid: tuple[int, int]) -> bool:
    return _is_pair(cell) and 0 <= cell[0] < grid[0] and 0 <= cell[1] < grid[1]


def _regrid(maps: Floats, grid: tuple[int, int]) -> Floats:
    """Maps (n, h, w) brought to `grid` by averaging over the area of each new cell, with unit L2 norm again."""
    down, across = (_area(size, want) for size, want in zip(maps.shape[1:], grid, strict=True))
    averaged = np.einsum("ih,nhw,jw->nij", down, maps, across)
    norms = np.linalg.norm(averaged, axis=(1, 2), keepdims=True)
    return np.asarray(averaged / np.maximum(norms, 1e-12))


def _area(size: int, want: int) -> Floats:
    """(want, size): the share of each old cell that lies in each new one, rows summing to 1."""
    edges = np.arange(want + 1) * size / want
    old = np.arange(size)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.asarray(np.clip(overlap, 0, None) * want / size)
