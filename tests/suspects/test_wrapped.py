"""Suspects that wrap suspects: transforms change pixels as their names say, hardening reveals less."""

import io
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields

import numpy as np
import numpy.typing as npt
import pytest
from asking import BOTH, asked, claim_on, pixels
from conftest import Fake, tiny
from PIL import Image

import ownmark
from ownmark.errors import UsageError
from ownmark.protocols import Suspect
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.suspects.wrappers.wrapped import (
    JPEG,
    BitDepth,
    Blur,
    Hardened,
    Hardening,
    Noisy,
    ResizePad,
    Rounded,
    TopOne,
    Transform,
    Transformed,
    noisy,
)
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

TRANSFORMS: tuple[Transform, ...] = (JPEG(), JPEG(30), Blur(), ResizePad(), ResizePad(0.5), BitDepth(), BitDepth(1))
HARDENINGS: tuple[Hardening, ...] = (Rounded(), Rounded(1), TopOne(), Noisy(), Noisy(0.2, seed=3))
EVERY_TRANSFORM = pytest.mark.parametrize("transform", TRANSFORMS, ids=repr)
EVERY_HARDENING = pytest.mark.parametrize("hardening", HARDENINGS, ids=repr)
IMAGES = pixels()[:, 0]
SHARES = np.array([[0.704, 0.2, 0.096], [0.005, 0.005, 0.99], [0.334, 0.333, 0.333]])


def read(suspect: Suspect, readings: frozenset[Reading] = BOTH) -> dict[Reading, npt.NDArray[np.float64]]:
    return {reading: np.asarray(found) for reading, found in suspect.read(IMAGES, asked(readings)).items()}


EVERY = frozenset({Reading.LABEL, Reading.PROBABILITY, Reading.SALIENCY})  # readings of a classifier


@EVERY_TRANSFORM
@pytest.mark.parametrize("channels", [1, 3])
def test_every_transform_changes_pixels_but_neither_their_shape_nor_what_it_was_given(
    transform: Transform, channels: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 20, 14, channels), dtype=np.uint8)
    before = images.copy()
    found = transform.transform(images)
    assert found.shape == images.shape
    assert found.dtype == images.dtype
    assert not np.array_equal(found, images)
    assert np.array_equal(images, before)
    assert np.array_equal(transform.transform(images[1:2])[0], found[1]), "each image for itself"


@pytest.mark.parametrize("part", [*TRANSFORMS, *HARDENINGS], ids=repr)
def test_every_transform_and_hardening_is_a_frozen_dataclass_that_its_repr_spells(part: Transform | Hardening) -> None:
    assert eval(repr(part), {name: getattr(ownmark, name) for name in dir(ownmark)}) == part  # noqa: S307 - our own repr
    for field in fields(part):  # type: ignore[arg-type]
        with pytest.raises(FrozenInstanceError):
            setattr(part, field.name, 0)


def test_what_a_transform_keeps_of_a_plain_image_is_known() -> None:
    grey = np.full((1, 8, 8, 3), 128, dtype=np.uint8)
    assert np.abs(JPEG(95).transform(grey).astype(int) - 128).max() <= 1
    assert np.array_equal(Blur(3).transform(grey), grey)
    padded = ResizePad(0.5).transform(grey)
    assert np.array_equal(padded[0, 2:6, 2:6], grey[0, :4, :4])
    assert padded.astype(int).sum() == 128 * 16 * 3
    assert np.array_equal(BitDepth(8).transform(IMAGES), IMAGES)
    assert set(BitDepth(1).transform(IMAGES).ravel().tolist()) == {0, 255}
    assert BitDepth(2).transform(np.array([[[[0, 42, 43]]]], dtype=np.uint8)).ravel().tolist() == [0, 0, 85]


def test_jpeg_is_what_opens_from_a_file_of_that_quality() -> None:
    file = io.BytesIO()
    Image.fromarray(IMAGES[0]).save(file, "JPEG", quality=40)
    assert np.array_equal(JPEG(40).transform(IMAGES[:1])[0], np.asarray(Image.open(file)))


def test_a_blurred_point_is_a_gaussian() -> None:
    point = np.zeros((1, 21, 21, 1), dtype=np.uint8)
    point[0, 10, 10] = 255
    row = Blur(2).transform(point)[0, 10, :, 0].astype(float)
    wanted = 255 * np.exp(-(np.arange(-10, 11) ** 2) / 8) / (8 * np.pi)
    assert np.abs(row - wanted).max() <= 1
    assert row[10] > 5


@EVERY_TRANSFORM
def test_a_transformed_suspect_answers_what_the_suspect_answers_to_transformed_images(transform: Transform) -> None:
    inner = Local(tiny(classes=7))
    found = Transformed(inner, (transform, BitDepth(6)))
    wanted = inner.read(BitDepth(6).transform(transform.transform(IMAGES)), asked(EVERY))
    answers = found.read(IMAGES, asked(EVERY))
    assert answers.keys() == wanted.keys()
    assert all(np.array_equal(answers[reading], wanted[reading]) for reading in wanted)
    assert (found.digest, found.reveals) == (inner.digest, inner.reveals)
    assert found.name == f"model behind {transform!r}, BitDepth(bits=6)"


@EVERY_HARDENING
def test_a_hardened_suspect_reveals_what_its_hardening_leaves_and_answers_that(hardening: Hardening) -> None:
    inner = Local(tiny(classes=7))
    found = Hardened(inner, hardening)
    assert found.reveals == hardening.leaves
    assert Reading.SALIENCY not in found.reveals
    answers = read(found, found.reveals)
    assert answers.keys() == found.reveals
    if Reading.PROBABILITY in answers:
        assert np.allclose(answers[Reading.PROBABILITY].sum(axis=1), 1)
        assert np.array_equal(answers[Reading.PROBABILITY].argmax(axis=1), answers[Reading.LABEL])
        assert not np.array_equal(answers[Reading.PROBABILITY], read(inner)[Reading.PROBABILITY])
    assert all(np.array_equal(answers[reading], read(found, found.reveals)[reading]) for reading in answers)
    assert found.name == f"model answering {hardening!r}"
    assert found.digest == inner.digest


def test_what_hardening_leaves_of_plain_answers_is_known() -> None:
    inner = Fake({Reading.PROBABILITY: SHARES})
    rounded = read(Hardened(inner, Rounded(2)))[Reading.PROBABILITY]
    assert rounded == pytest.approx(np.array([[0.7, 0.2, 0.1], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3]]), abs=0.011)
    assert rounded[2] == pytest.approx([1 / 3] * 3)
    assert read(Hardened(inner, TopOne()), frozenset({Reading.LABEL}))[Reading.LABEL].tolist() == [0, 2, 0]
    many = np.full((10, 30), 1 / 30)
    assert np.array_equal(read(Hardened(Fake({Reading.PROBABILITY: many}), Rounded(1)))[Reading.PROBABILITY], many)


def test_noise_is_as_large_as_it_was_asked_for() -> None:
    shares = np.full((1000, 2), 0.5)
    found = noisy(shares, 0.01, np.random.default_rng(0))
    assert found.std() == pytest.approx(0.01 / np.sqrt(2), rel=0.1), "dividing by the sum takes what both have in common"
    assert np.array_equal(Noisy(0.01, seed=0).harden(shares), found)
    assert not np.array_equal(Noisy(0.01, seed=1).harden(shares), found)
    assert noisy(shares, 100, np.random.default_rng(0)).min() > 0


def test_a_copy_behind_a_light_touch_is_still_found_and_a_label_alone_leaves_the_label_test() -> None:
    model = tiny(0, classes=7)
    innocents = [Local(tiny(number, classes=7)) for number in range(1, 20)]
    claim = calibrate(claim_on(model), innocents).with_nulls({1: Uncalibrated()})
    for suspect in (
        Transformed(Local(model), (BitDepth(7),)),
        Hardened(Local(model), Rounded(3)),
        Hardened(Local(model), TopOne()),
    ):
        assert verify(claim, suspect).outcome is Outcome.MATCH
    assert verify(claim, Hardened(Local(model), TopOne())).others == ()


def test_a_model_behind_a_transform_is_not_another_innocent() -> None:
    model = tiny(0, classes=7)
    with pytest.raises(UsageError, match="the protected model itself"):
        calibrate(claim_on(model), [Transformed(Local(model), (JPEG(),))])


def test_wrappers_nest_in_either_order() -> None:
    inner = Local(tiny(classes=7))
    one = Transformed(Hardened(inner, TopOne()), (JPEG(),))
    other = Hardened(Transformed(inner, (JPEG(),)), TopOne())
    label = frozenset({Reading.LABEL})
    assert one.reveals == other.reveals == label
    assert np.array_equal(read(one, label)[Reading.LABEL], read(other, label)[Reading.LABEL])


def test_hardening_what_reveals_no_probability_is_an_error() -> None:
    with pytest.raises(UsageError, match="reveals no probabilities"):
        Hardened(Fake({Reading.LABEL: np.zeros(10, dtype=int)}), TopOne())


@pytest.mark.parametrize(
    ("kind", "value"),
    [(JPEG, 0), (JPEG, 101), (Blur, -1), (Blur, np.nan), (ResizePad, 0), (ResizePad, 1.1), (BitDepth, 0), (BitDepth, 9),
     (Rounded, 0), (Noisy, -0.1)],
)  # fmt: skip
def test_a_parameter_that_means_nothing_is_an_error(kind: type, value: float) -> None:
    with pytest.raises(UsageError, match=kind.__name__):
        kind(value)


def test_wrapping_needs_no_torch() -> None:
    code = "import sys, ownmark.suspects.wrappers.wrapped; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
