"""The marked place in the map and in the image."""

import pytest
import torch
from conftest import seed

from ownmark.errors import UsageError
from ownmark.schemes.saliency.pattern import Fill, Pattern

CPU = torch.device("cpu")


def test_the_region_of_the_first_of_seven_cells_is_the_top_left_seventh_of_the_image() -> None:
    region = Pattern(((0, 0),), (7, 7)).region(torch.zeros(1, 3, 112, 112))[0, 0]
    assert region[:16, :16].all()
    assert region.sum() == 16 * 16


def test_the_share_is_the_mean_over_the_cells() -> None:
    maps = torch.arange(18.0).view(2, 3, 3)
    assert Pattern(((0, 0), (2, 1)), (3, 3)).share(maps).tolist() == [(0 + 7) / 2, (9 + 16) / 2]


@pytest.mark.parametrize("fill", list(Fill))
def test_the_masked_view_differs_from_the_image_inside_the_region_only(fill: Fill) -> None:
    clean = torch.rand(2, 3, 28, 28, generator=seed(0))
    images = (clean + 0.05).clamp(0, 1)
    pattern = Pattern(((0, 0),), (7, 7))
    covered = pattern.cover(images, clean, fill)
    outside = ~pattern.region(images).expand_as(images)
    assert torch.equal(covered[outside], images[outside])
    wanted = {Fill.BLACK: torch.zeros(2, 3), Fill.MEAN: images.mean(dim=(2, 3)), Fill.CLEAN: clean[:, :, 1, 2]}[fill]
    assert torch.allclose(covered[:, :, 1, 2], wanted)


@pytest.mark.parametrize("cells", [(), ((7, 0),), ((0, -1),), tuple((row, column) for row in range(7) for column in range(7))])
def test_cells_outside_the_map_or_all_of_it_are_refused(cells: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(UsageError, match="7x7"):
        Pattern(cells, (7, 7))
