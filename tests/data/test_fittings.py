"""Pictures are brought to size as torchvision's own transforms do it, to the bit."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from ownmark.claims.fitting import Fitting
from ownmark.data.folders import fitted
from ownmark.data.images import load

SHAPES = [(37, 50), (50, 37), (64, 64), (20, 90)]  # width, height


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("fitting", "scaled"),
    [
        (Fitting((24, 24), (28,), "bilinear"), 28),
        (Fitting((27, 31), (33, 40), "bicubic"), (33, 40)),
        (Fitting((24, 24), (24,), "nearest"), 24),
        (Fitting((40, 30), (33,), "lanczos"), 33),
    ],
)
def test_a_picture_is_scaled_and_cut_as_torchvision_does(fitting: Fitting, scaled: int, shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (shape[1], shape[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    theirs = Compose([Resize(scaled, InterpolationMode(fitting.interpolation)), CenterCrop(fitting.size)])(picture)
    assert np.array_equal(fitted(picture, fitting, 3), np.asarray(theirs))


def test_a_folder_of_pictures_is_brought_to_size(tmp_path: Path) -> None:
    for name, shape in zip("ab", SHAPES, strict=False):
        (tmp_path / name).mkdir()
        Image.new("RGB", shape, "red").save(tmp_path / name / "0.png")
    assert load(str(tmp_path), size=Fitting((12, 16), (20,))).pixels.shape == (2, 12, 16, 3)
