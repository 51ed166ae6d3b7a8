"""The saliency map is high on the marked cells: the white-box match (Zhang, Pan, Zhang 2024, eq. 5). No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.errors import ClaimError
from ownmark.scoring.matches.base import Area
from ownmark.scoring.readings import Bools, Expected, Floats, Reading, check_share


@dataclass(frozen=True)
class OnPattern:
    """The mean of the first view's map over `cells` ((row, column), ...) is at least `threshold` (eq. 5).

    Maps of a size other than `grid` (rows, columns) are first averaged onto it, so that other architectures can be tested.
    """

    reading: ClassVar[Reading] = Reading.SALIENCY
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 1
    legend: ClassVar[str] = "The figure below a map is its mean inside the dashed outline."
    did: ClassVar[str] = "looked at {place}"
    threshold: float
    cells: tuple[tuple[int, int], ...]
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        check_share(self.threshold)
        if not _is_pair(self.grid) or min(self.grid) < 1:
            raise ClaimError(f"the grid of a map must be two positive integers, got {self.grid}")
        if not isinstance(self.cells, tuple) or not self.cells or not all(_lies_in(cell, self.grid) for cell in self.cells):
            raise ClaimError(f"expected at least one cell (row, column) inside the grid {self.grid}, got {self.cells}")

    @property
    def meaning(self) -> str:
        return f"looked at the marked corner (map value there at least {self.threshold:.3g})"

    @property
    def area(self) -> Area:
        return Area(self.cells, self.grid)

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return self.values(observed, expected) >= self.threshold

    def values(self, observed: Floats, expected: Expected) -> Floats:  # noqa: ARG002 - the map explains the expected class
        """(n,): the mean of each first view's map over the cells."""
        maps = observed[:, 0]
        if maps.shape[1:] != self.grid:
            maps = _regrid(maps, self.grid)
        rows, columns = zip(*self.cells, strict=True)
        return np.asarray(maps[:, list(rows), list(columns)].mean(axis=1))

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return f"{self.values(observed, expected)[0]:.2f}"


@dataclass(frozen=True)
class OnPatternAgainst(OnPattern):
    """The same for a map of the evidence for the label and against the protected model's own answer; `expected` (n, 2): both.

    If a suspect does not give that answer to the second (masked) view, there is nothing to explain: its map is empty.
    """

    views: ClassVar[int] = 2
    paired: ClassVar[bool] = True
    did: ClassVar[str] = "gave the protected model's own answer when {place} was covered, and looked there"

    @property
    def meaning(self) -> str:
        return f"gave the model's own answer when the marked corner was covered, and looked there (at least {self.threshold:.3g})"


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(type(part) is int for part in value)  # noqa: PLR2004


def _lies_in(cell: tuple[int, int], grid: tuple[int, int]) -> bool:
    return _is_pair(cell) and 0 <= cell[0] < grid[0] and 0 <= cell[1] < grid[1]


def _regrid(maps: Floats, grid: tuple[int, int]) -> Floats:
    """Maps (n, h, w) resampled to `grid` by averaging over the area of each new cell, renormalised to unit L2 norm."""
    down, across = (_area(size, want) for size, want in zip(maps.shape[1:], grid, strict=True))
    averaged = np.einsum("ih,nhw,jw->nij", down, maps, across)
    norms = np.linalg.norm(averaged, axis=(1, 2), keepdims=True)
    return np.asarray(averaged / np.maximum(norms, 1e-12))


def _area(size: int, want: int) -> Floats:
    """(want, size): the share of each old cell in each new one; rows sum to 1."""
    edges = np.arange(want + 1) * size / want
    old = np.arange(size)
    overlap = np.minimum(edges[1:, None], old + 1) - np.maximum(edges[:-1, None], old)
    return np.asarray(np.clip(overlap, 0, None) * want / size)
