"""Feature squeezing: each squeezer against a stranger's or a slow, literal one, and what rings."""

import warnings
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import pictures, seed, tiny
from torch import Tensor, nn

from ownmark.detectors.feature_squeezing import ColourDepth, FeatureSqueezing, Median, NonLocalMeans, Squeezer
from ownmark.scoring.readings import Floats

IMAGES = np.random.default_rng(0).random((4, 12, 9, 3), dtype=np.float32)
SQUEEZERS: tuple[Squeezer, ...] = (ColourDepth(), Median(), NonLocalMeans())


@pytest.fixture(scope="module")
def toolbox() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("art.defences.preprocessor", reason="adversarial-robustness-toolbox is not installed")


@pytest.mark.parametrize("bits", range(1, 9))
def test_colour_depth_is_that_of_the_adversarial_robustness_toolbox(toolbox: Any, bits: int) -> None:
    wanted, _ = toolbox.FeatureSqueezing(clip_values=(0.0, 1.0), bit_depth=bits)(IMAGES)
    assert np.abs(ColourDepth(bits).squeeze(IMAGES) - wanted).max() <= 1e-6


@pytest.mark.parametrize("window", [1, 2, 3, 4, 5])
def test_median_is_the_smoothing_of_the_adversarial_robustness_toolbox(toolbox: Any, window: int) -> None:
    wanted, _ = toolbox.SpatialSmoothing(window_size=window)(IMAGES)
    assert np.abs(Median(window).squeeze(IMAGES) - wanted).max() <= 1e-6


def slow_means(image: npt.NDArray[np.float64], search: int, patch: int, strength: float) -> Floats:
    """Pixel by pixel: the mean over the search window, each weighted by how alike the patches around are."""
    edge = search // 2 + patch // 2
    wide = np.pad(image, edge, mode="reflect")
    found = np.zeros_like(image)

    def patch_at(row: int, column: int) -> npt.NDArray[np.float64]:
        half = patch // 2
        return wide[row - half : row + half + 1, column - half : column + half + 1]

    for row, column in np.ndindex(*image.shape):
        own = (row + edge, column + edge)
        places = [(own[0] + down, own[1] + right) for down, right in np.ndindex(search, search)]
        places = [(down - search // 2, right - search // 2) for down, right in places]
        weights = [np.exp(-np.mean((patch_at(*own) - patch_at(*place)) ** 2) / strength**2) for place in places]
        found[row, column] = np.average([wide[place] for place in places], weights=weights)
    return found


def test_non_local_means_of_a_grey_image_is_the_papers_mean_to_half_a_level() -> None:
    rng = np.random.default_rng(1)
    pixels = (60 + 120 * (np.arange(14)[:, None] > 6) + rng.integers(-6, 7, (14, 10))).astype(np.float64)
    found = NonLocalMeans(5, 3, 4.0).squeeze(pixels[None, :, :, None] / 255) * 255
    assert np.abs(found[0, :, :, 0] - slow_means(pixels, 5, 3, 4.0)).max() <= 1
    assert np.abs(found[0, :, :, 0] - pixels).max() > 3, "else nothing was smoothed"


def test_non_local_means_hands_opencv_its_colours_in_the_order_that_it_expects() -> None:
    pixels = (IMAGES * 255).round().astype(np.uint8)
    found = np.rint(NonLocalMeans().squeeze(pixels.astype(np.float32) / 255) * 255)
    wanted = [
        cv2.cvtColor(cv2.fastNlMeansDenoisingColored(cv2.cvtColor(one, cv2.COLOR_RGB2BGR), None, 4, 4, 3, 11), cv2.COLOR_BGR2RGB)
        for one in pixels
    ]
    assert np.array_equal(found, np.stack(wanted))


@pytest.mark.parametrize("squeezer", SQUEEZERS, ids=repr)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_squeezer_takes_each_image_for_itself_and_leaves_what_it_was_given(squeezer: Squeezer, channels: int) -> None:
    images = IMAGES[..., :channels].copy()
    found = squeezer.squeeze(images)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert 0 <= found.min() <= found.max() <= 1
    assert np.array_equal(images, IMAGES[..., :channels])
    assert np.array_equal(squeezer.squeeze(images[2:3])[0], found[2])


class First(nn.Module):
    """Two classes; the first pixel's red, from 0 to 1, is the probability of the first."""

    def forward(self, images: Tensor) -> Tensor:
        share = images[:, 0, 0, 0].double().clamp(1e-9, 1 - 1e-9)
        return torch.stack([share.log(), (1 - share).log()], dim=1)


@dataclass(frozen=True)
class Set:
    """Every pixel becomes `value`."""

    value: float

    def squeeze(self, images: Floats) -> Floats:
        return np.full_like(images, self.value)


def test_the_score_is_the_largest_l1_distance_of_the_probabilities() -> None:
    model = nn.Sequential(First())
    alarm = FeatureSqueezing((Set(0.6), Set(0.1))).fit(model, pictures(4), seed(0))
    images = np.zeros((3, 4, 4, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = 0, 51, 255
    assert alarm.score(images) == pytest.approx([2 * 0.6, 2 * 0.4, 2 * 0.9], abs=1e-6)


def test_more_squeezers_never_lower_a_score() -> None:
    model, images = tiny(), pictures(70)
    each = [FeatureSqueezing((squeezer,)).fit(model, images, seed(0)).normal for squeezer in SQUEEZERS]
    assert FeatureSqueezing(SQUEEZERS).fit(model, images, seed(0)).normal == pytest.approx(np.max(each, axis=0))
    assert min(one.max() for one in each) > 0
