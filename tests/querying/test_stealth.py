"""A claim's stealth: visible changes against a stranger's formulas, and how often an alarm rings for each view."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from asking import asked, claim_on
from conftest import Fake, pictures, small_claim, tiny
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.image import structural_similarity_index_measure

from ownmark.bench.stealth import seen
from ownmark.claims.claim import Claim
from ownmark.cli import render
from ownmark.detectors.neighbours import Neighbours
from ownmark.metrics import l_inf, psnr, ssim
from ownmark.protocols import Alarm
from ownmark.querying.stealth import detected, stealth_of
from ownmark.report.page import tables
from ownmark.report.words import terms
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.tasks import Regression


def brightness(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    return np.asarray(images.mean(axis=(1, 2, 3)))


NORMAL = Alarm(brightness, np.arange(100.0))


def shown(images: npt.NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).double()


@given(st.integers(0, 2**32), st.integers(1, 90), st.sampled_from([1, 3]))
def test_ssim_is_that_of_torchmetrics(number: int, strength: int, channels: int) -> None:
    rng = np.random.default_rng(number)
    first = rng.integers(0, 256, (3, 17, 12, channels), dtype=np.uint8)
    second = np.clip(first + rng.integers(-strength, strength + 1, first.shape), 0, 255).astype(np.uint8)
    wanted = structural_similarity_index_measure(shown(second), shown(first), data_range=255.0)
    assert ssim(first, second) == pytest.approx(float(wanted), abs=1e-6)  # type: ignore[arg-type]
    assert ssim(second, first) == pytest.approx(ssim(first, second))


def test_equal_images_are_alike_and_a_change_anywhere_is_the_largest_change() -> None:
    images = np.random.default_rng(0).integers(0, 250, (2, 12, 12, 3), dtype=np.uint8)
    changed = images.copy()
    changed[1, 3, 4, 2] += 5
    assert ssim(images, images) == pytest.approx(1)
    assert l_inf(images, images) == 0
    assert l_inf(images, changed) == l_inf(changed, images) == 5 / 255
    assert l_inf(np.zeros_like(images), np.full_like(images, 255)) == 1


def compared(**changes: object) -> Claim:
    """A claim of ten samples with two views, whose originals are a little darker."""
    claim = claim_on(tiny(classes=7))
    return replace(claim, **{"originals": claim.images[:, 0] // 2, **changes})  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_samples_beside_their_originals() -> None:
    claim, model = compared(), Local(tiny(classes=7))
    found = stealth_of(claim, model, {})
    assert claim.originals is not None
    assert found.psnr == psnr(claim.originals, claim.images[:, 0])
    assert found.ssim == ssim(claim.originals, claim.images[:, 0])
    assert found.l_inf == l_inf(claim.originals, claim.images[:, 0])
    assert found.detections == {}


def test_accuracy_is_the_share_of_samples_that_keep_the_label_of_their_original_or_have_the_true_one() -> None:
    claim = small_claim(count=4)
    suspect = Fake({Reading.LABEL: np.array([0, 1, 2, 0])})
    assert stealth_of(claim, suspect, {}).accuracy == 1, "the fake answers everything alike"
    assert stealth_of(claim, suspect, {}, truth=np.array([0, 1, 1, 1])).accuracy == 0.5
    darker, model = compared(), Local(tiny(classes=7))
    assert darker.originals is not None
    kept, own = (model.read(one, asked())[Reading.LABEL] for one in (darker.images[:, 0], darker.originals))
    assert stealth_of(darker, model, {}).accuracy == np.mean(kept == own)


def test_what_was_made_from_noise_is_compared_with_nothing() -> None:
    claim, suspect = small_claim(count=4, originals=None), Fake({Reading.LABEL: np.array([0, 1, 2, 0])})
    found = stealth_of(claim, suspect, {"brightness": (NORMAL, 1.0)})
    assert (found.accuracy, found.psnr, found.ssim, found.l_inf) == (None,) * 4
    assert stealth_of(claim, suspect, {}, truth=np.array([0, 1, 2, 1])).accuracy == 0.75
    assert set(found.detections) == {"brightness"}


def test_samples_that_are_their_originals_are_said_to_be_unchanged_and_not_measured() -> None:
    claim, suspect = small_claim(count=4), Fake({Reading.LABEL: np.array([0, 1, 2, 0])})
    assert not stealth_of(claim, suspect, {}).unchanged
    same = replace(claim, originals=claim.images[:, 0].copy())
    found = stealth_of(same, suspect, {"brightness": (NORMAL, 1.0)})
    assert found.unchanged
    assert (found.accuracy, found.psnr, found.ssim, found.l_inf) == (None,) * 4
    assert found.detections["brightness"].originals == found.detections["brightness"].views[0]
    assert stealth_of(same, suspect, {}, truth=np.array([0, 1, 2, 1])).accuracy == 0.75
    assert not stealth_of(small_claim(count=4, originals=None), suspect, {}).unchanged
    assert render.of_claim(same, Path("my.claim"))["psnr_db"] is None
    assert "none: the samples are the originals" in [entry.value for entry in tables(same, [], terms(same, 0))[0].entries]


def test_the_detection_rate_is_told_view_by_view_and_over_all_queries() -> None:
    claim = compared()
    bar = float(np.sort(brightness(claim.images[:, 0]))[6])
    found = detected(claim, NORMAL, bar)
    assert found.views[0] == 0.3
    assert found.views[1] == np.mean(brightness(claim.images[:, 1]) > bar)
    assert found.rate == np.mean(found.views)
    assert found.originals == np.mean(brightness(claim.images[:, 0] // 2) > bar)
    assert detected(replace(claim, originals=None), NORMAL, bar).originals is None
    assert detected(claim, NORMAL, 94.0).false_alarms == 0.05


def test_an_alarm_hears_the_queries_in_the_order_in_which_they_are_asked() -> None:
    claim = compared()
    twins = replace(claim, images=np.repeat(claim.images[:, :1], 2, axis=1))
    alarm = Neighbours(1).fit(tiny(), pictures(30), torch.Generator().manual_seed(0))
    assert detected(twins, alarm, -0.01).views == (0, 1)


def test_what_a_person_sees_is_the_label_of_the_original_or_of_its_mirror_image() -> None:
    images = pictures(6)
    originals = np.stack([images.pixels[3], images.pixels[4][:, ::-1]])
    known = replace(small_claim(2, 16), originals=originals)
    truth = seen(known, images)
    assert truth is not None
    assert truth.tolist() == [images.labels[3], images.labels[4]]
    assert seen(known, images.take([0, 1, 2])) is None
    assert seen(replace(known, originals=None), images) is None
    assert seen(known, replace(images, labels=images.labels * 1.0, names=("years",), task=Regression())) is None
