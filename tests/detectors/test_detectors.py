"""Detectors: what all of them promise. Every detector of the package is here, and a newcomer without being named."""

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed, tiny

import ownmark
from ownmark.detectors import DETECTORS
from ownmark.detectors.deep_svdd import DeepSVDD, Sight
from ownmark.detectors.feature_squeezing import ColourDepth, FeatureSqueezing, Median
from ownmark.detectors.neighbours import Neighbours
from ownmark.errors import UsageError
from ownmark.method_strings import read
from ownmark.protocols import Alarm, Detector, silent

PAGE = Path(__file__).parents[2] / "docs" / "detectors.md"
NORMAL = 120  # images


def quick(detector: Any) -> Detector:
    """The detector with two epochs where it would take more."""
    found: Detector = replace(detector, epochs=2) if getattr(detector, "epochs", 0) else detector
    return found


TRIED: tuple[Detector, ...] = (
    *(quick(kind()) for kind in DETECTORS),
    DeepSVDD(Sight.FEATURES, outside=0.1, epochs=12),
    FeatureSqueezing((ColourDepth(3), Median(3))),
    Neighbours(1, memory=40),
)
EVERY = pytest.mark.parametrize("detector", TRIED, ids=repr)


@cache
def fitted_at(place: int) -> Alarm:
    return TRIED[place].fit(tiny(), pictures(NORMAL), seed(0), silent)


def fitted(detector: Detector) -> Alarm:
    return fitted_at(TRIED.index(detector))


def test_every_detector_is_registered_in_its_own_file() -> None:
    folder = Path(str(ownmark.__file__)).parent / "detectors"
    assert {kind.__module__.rpartition(".")[2] for kind in DETECTORS} == {file.stem for file in folder.glob("[a-z]*.py")}


@EVERY
def test_every_detector_is_a_frozen_dataclass_that_its_repr_spells(detector: Any) -> None:
    assert is_dataclass(detector)
    with pytest.raises(FrozenInstanceError):
        setattr(detector, fields(detector)[0].name, 0)
    found: object = read(repr(detector), DETECTORS)
    assert found == detector


@EVERY
def test_every_detector_leaves_the_model_and_the_images_as_they_were(detector: Detector) -> None:
    model, normal = tiny().train(), pictures(NORMAL)
    before = deepcopy(model)
    alarm = detector.fit(model, normal, seed(0), silent)
    alarm.score(normal.pixels)
    assert same_weights(model, before)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert (normal.pixels == pictures(NORMAL).pixels).all()


@EVERY
def test_every_detector_is_decided_by_its_generator_alone(detector: Detector) -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    again = detector.fit(tiny(), pictures(NORMAL), seed(0), silent)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(again.normal, fitted(detector).normal)
    assert np.array_equal(again.score(pictures(9).pixels), fitted(detector).score(pictures(9).pixels))


@EVERY
def test_every_alarm_scores_each_image_of_any_count_and_tells_how_far_it_has_come(detector: Detector) -> None:
    for count in (1, 2, 67):
        scores = fitted(detector).score(pictures(count).pixels)
        assert scores.shape == (count,)
        assert not np.isnan(scores).any()
    assert np.isfinite(fitted(detector).normal).all()
    steps: list[tuple[int, int]] = []
    detector.fit(tiny(), pictures(NORMAL), seed(0), lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] > 0


@EVERY
def test_every_alarm_rings_for_no_more_new_normal_images_than_was_chosen(detector: Detector) -> None:
    fresh = fitted(detector).score(pictures(NORMAL, number=5).pixels)
    for chosen in (0.1, 0.3):
        assert np.mean(fresh > fitted(detector).threshold(chosen)) < chosen + 0.15


@EVERY
def test_every_detector_takes_grey_images(detector: Detector) -> None:
    alarm = detector.fit(tiny(channels=1), pictures(60, channels=1), seed(0), silent)
    assert alarm.score(pictures(3, channels=1).pixels).shape == (3,)


def alarm_of(*scores: float) -> Alarm:
    return Alarm(lambda images: np.zeros(len(images)), np.array(scores))


def test_the_threshold_is_the_smallest_that_keeps_the_false_alarm_rate_of_a_new_image() -> None:
    alarm = alarm_of(*np.random.default_rng(0).permutation(19).astype(float))
    assert alarm.threshold(0.05) == 18
    assert alarm.threshold(0.1) == 17
    assert alarm.threshold(0.949) == 1
    assert alarm_of(*range(99)).threshold(0.01) == 98


def test_the_false_alarm_rate_of_a_threshold_holds_over_many_draws() -> None:
    rng = np.random.default_rng(0)
    rings = [rng.normal() > alarm_of(*rng.normal(size=19)).threshold(0.1) for _ in range(4000)]
    assert np.mean(rings) == pytest.approx(0.1, abs=0.015)


@pytest.mark.parametrize("rate", [0.04, 0.0, -0.1, 1.0, 2.0])
def test_a_false_alarm_rate_that_the_normal_images_cannot_show_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match="19 normal images"):
        alarm_of(*range(19)).threshold(rate)


REFUSED: dict[str, Callable[[], object]] = {
    "DeepSVDD: expected epochs": lambda: DeepSVDD(epochs=0),
    "a positive rate": lambda: DeepSVDD(rate=0),
    r"shares in \(0, 1\)": lambda: DeepSVDD(outside=1.0),
    "held_out=0": lambda: DeepSVDD(held_out=0),
    "at least one squeezer": lambda: FeatureSqueezing(()),
    "1 to 8 bits": lambda: ColourDepth(0),
    "a window of at least 1": lambda: Median(0),
    "odd windows": lambda: ownmark.NonLocalMeans(search=10),
    "count <= memory": lambda: Neighbours(5, memory=4),
    "more than 5 normal images": lambda: Neighbours(5).fit(tiny(), pictures(5), seed(0)),
}


@pytest.mark.parametrize("told", REFUSED)
def test_settings_without_a_meaning_are_refused_with_what_was_needed(told: str) -> None:
    with pytest.raises(UsageError, match=told):
        REFUSED[told]()


def test_the_page_names_every_detector_and_its_example_runs() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [kind.__name__ for kind in DETECTORS if f"`{kind.__name__}`" not in page] == []
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__name__": "sharpness"}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 - the project's own page
    alarm = names["Sharpness"]().fit(tiny(), pictures(NORMAL), seed(0))
    flat, noise = np.full((1, 16, 16, 3), 9, dtype=np.uint8), np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3))
    found = alarm.score(np.concatenate([flat, noise.astype(np.uint8)])) > alarm.threshold()
    assert found.tolist() == [False, True]
