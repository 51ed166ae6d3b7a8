"""Images in memory: pixels and numbers, shares, rows; and the real sets, where they are at hand."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import pictures, seed
from hypothesis import given
from hypothesis import strategies as st

from ownmark.data.images import Images, load, shares, to_pixels, to_unit
from ownmark.errors import DataError
from ownmark.tasks import Regression


def test_all_pixel_values_survive_being_numbers_between_zero_and_one() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    unit = to_unit(pixels, torch.device("cpu"))
    assert unit.shape == (1, 3, 16, 16)
    assert (float(unit.min()), float(unit.max())) == (0, 1)
    assert np.array_equal(to_pixels(unit), pixels)
    for shift in (-0.4, 0.4):
        assert np.array_equal(to_pixels(unit + shift / 255), pixels)
    assert to_pixels(torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)).ravel().tolist() == [0, 255]


def test_rounding_to_pixels_leaves_what_it_was_given() -> None:
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    before = images.detach().clone()
    to_pixels(images)
    assert torch.equal(images.detach(), before)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(0, 60))
def test_shares_are_disjoint_and_as_large_as_they_say(parts: list[float], count: int) -> None:
    total = max(sum(parts), 1)
    fractions = tuple(part / total for part in parts)
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    images = Images(pixels, np.zeros(count, dtype=np.int64), ("a",))
    found = shares(images, fractions, seed(0))
    taken = [value for share in found for value in share.pixels.ravel().tolist()]
    assert len(taken) == len(set(taken))
    assert all(abs(len(share) - fraction * count) <= 1 for share, fraction in zip(found, fractions, strict=True))
    again = shares(images, fractions, seed(0))
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(found, again, strict=True))


@pytest.mark.parametrize("parts", [(0.6, 0.6), (0.0, 0.5), (-0.1,), (), (float("nan"),)])
def test_shares_that_cannot_be_taken_are_an_error(parts: tuple[float, ...]) -> None:
    with pytest.raises(DataError):
        shares(pictures(), parts, seed(0))


def test_images_show_themselves_in_one_line() -> None:
    pixels = np.zeros((2, 4, 5, 3), dtype=np.uint8)
    assert repr(Images(pixels, np.array([0, 1]), ("a", "b"))) == "<Images 2 of 4x5x3: 2 classes>"
    assert repr(Images(pixels, np.array([0.5, 2.0]), ("age",), Regression())) == f"<Images 2 of 4x5x3: {Regression()!r}>"


def test_taking_rows_by_number_or_by_mask_keeps_images_and_labels_together() -> None:
    images = pictures(6)
    assert np.array_equal(images.take([4, 0]).pixels, images.pixels[[4, 0]])
    assert images.take(images.labels == 2).labels.tolist() == [2, 2]
    assert len(images.take([])) == 0


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 3, 3, 1)), [0, 0]),
        (np.zeros((2, 3, 3), dtype=np.uint8), [0, 0]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0, 2]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0, -1]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [[0], [1]]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0.0, 1.0]),
    ],
)
def test_images_that_contradict_their_labels_cannot_be_made(pixels: npt.NDArray[Any], labels: Any) -> None:
    with pytest.raises(DataError):
        Images(pixels, np.asarray(labels), ("a", "b"))


def real(name: str, tmp_path: Path) -> Path:
    """The real set below OWNMARK_DATA, unpacked for the test if only its zip is there."""
    root = os.environ.get("OWNMARK_DATA")
    if not root:
        pytest.skip("OWNMARK_DATA names no folder of real images")
    if (Path(root) / name).is_dir():
        return Path(root)
    archive = next((path for path in Path(root).glob("*.zip") if path.stem.lower() == name.lower()), None)
    if archive is None:
        pytest.skip(f"{root} holds neither {name} nor its zip file")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    return tmp_path


@pytest.mark.realdata
def test_real_skin_images_are_all_there(tmp_path: Path) -> None:
    images = load(str(real("ham10000", tmp_path) / "ham10000"), size=8, train=False)
    assert images.pixels.shape == (2008, 8, 8, 3)
    assert images.names == ("0_akiec", "1_bcc", "2_bkl", "3_df", "4_mel", "5_nv", "6_vasc")
    assert np.bincount(images.labels).argmax() == 5
    assert images.pixels.std() > 20


@pytest.mark.realdata
def test_real_mnist_is_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNMARK_DATA", str(real("MNIST", tmp_path)))
    images = load("torchvision:MNIST", channels=1, train=False)
    assert images.pixels.shape == (10_000, 28, 28, 1)
    assert np.bincount(images.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
