"""Pictures are brought to size as torchvision's own transforms do it, to the bit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from conftest import small_claim
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from ownmark.claims.claim import Claim
from ownmark.claims.fitting import Fitting
from ownmark.cli.render import of_claim
from ownmark.data.folders import fitted
from ownmark.data.images import load
from ownmark.querying.decoys import decoys_in

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


def fitted_claim() -> Claim:
    """A claim on tiny images whose pictures were scaled to 10x10 before."""
    return dataclasses.replace(small_claim(), fitting=Fitting(small_claim().images.shape[2:4], (10, 10), "nearest"))


def test_a_claim_keeps_how_pictures_were_brought_to_size_and_one_without_has_the_bytes_it_had(tmp_path: Path) -> None:
    claim = fitted_claim()
    assert Claim.from_bytes(claim.to_bytes()) == claim
    assert Claim.from_bytes(claim.to_bytes()).fitting == claim.fitting
    assert b"fitting" not in small_claim().to_bytes()
    assert of_claim(claim, tmp_path)["fitting"] == {"size": [2, 2], "scaled": [10, 10], "interpolation": "nearest"}


def test_decoys_are_brought_to_size_as_the_owners_pictures_were(tmp_path: Path) -> None:
    claim = fitted_claim()
    assert claim.fitting is not None
    (tmp_path / "a").mkdir()
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))
    picture.save(tmp_path / "a" / "0.png")
    assert np.array_equal(decoys_in(tmp_path, claim).images[0], fitted(picture, claim.fitting, 3))
