"""The marked pattern: some cells of a saliency map, the image region below them, and the fill that covers it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.method_strings import Choice
from ownmark.scoring.matches import Area


class Fill(Choice):
    """Fill of the region in the masked view: BLACK, the image's MEAN colour, or the CLEAN image.

    CLEAN restores the original pixels, so that an independent model, which mostly ignores the perturbation, sees no change.
    """

    BLACK = "black"
    MEAN = "mean"
    CLEAN = "clean"


@dataclass(frozen=True)
class Pattern:
    """`cells` ((row, column), ...) of a map with `grid` (rows, columns): the paper's P, 1 on the cells and 0 elsewhere."""

    cells: tuple[tuple[int, int], ...]
    grid: tuple[int, int]

    def __post_init__(self) -> None:
        rows, columns = self.grid
        outside = [cell for cell in self.cells if not (0 <= cell[0] < rows and 0 <= cell[1] < columns)]
        if not self.cells or outside or len(set(self.cells)) == rows * columns:
            raise UsageError(f"expected a pattern of some but not all cells of a {rows}x{columns} map, got {self.cells}")

    @property
    def area(self) -> Area:
        """The same for a match."""
        return Area(self.cells, self.grid)

    def on(self, device: torch.device) -> Tensor:
        """The pattern (rows, columns), float 0 or 1."""
        pattern = torch.zeros(self.grid, device=device)
        rows, columns = zip(*self.cells, strict=True)
        pattern[list(rows), list(columns)] = 1
        return pattern

    def share(self, maps: Tensor) -> Tensor:
        """(n,): the mean of maps (n, rows, columns) over the pattern."""
        pattern = self.on(maps.device)
        return (maps * pattern).sum(dim=(1, 2)) / pattern.sum()

    def region(self, images: Tensor) -> Tensor:
        """(1, 1, height, width) bool: the pixels of `images` (n, channels, height, width) below the pattern."""
        pattern = self.on(images.device)[None, None]
        return functional.interpolate(pattern, images.shape[2:], mode="nearest").bool()

    def cover(self, images: Tensor, clean: Tensor, fill: Fill) -> Tensor:
        """The masked view of `images` (n, channels, height, width), whose unperturbed originals are `clean`."""
        covers = {Fill.BLACK: torch.zeros_like(images), Fill.MEAN: _mean_colour(images), Fill.CLEAN: clean}
        return torch.where(self.region(images), covers[fill], images)


def _mean_colour(images: Tensor) -> Tensor:
    return images.mean(dim=(2, 3), keepdim=True).expand_as(images)
