"""Deep SVDD: against a stranger's on the same features, and what its sphere promises."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import pictures, seed, tiny
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.metrics import roc_auc_score

from ownmark.detectors.deep_svdd import CODE, NEAREST, DeepSVDD, Sight, _centre, _convolutions, _dense
from ownmark.protocols import Alarm

Sets = dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]
SEEDS = range(2)


def one_class() -> Sets:
    """Name -> normal rows to learn from, rows to tell apart, and whether each of those is strange."""
    found: Sets = {}
    cancer, digits = load_breast_cancer(), load_digits()
    known = digits.data[:, digits.data.std(axis=0) > 0.5]
    cases = [("benign", cancer.data, cancer.target == 1)]
    cases += [(f"digit {digit}", known, digits.target == digit) for digit in (1, 4, 8)]
    for name, rows, normal in cases:
        half = 2 * int(normal.sum()) // 3
        rest = rows[normal][half:]
        found[name] = (
            rows[normal][:half],
            np.concatenate([rest, rows[~normal]]),
            np.arange(len(rest) + sum(~normal)) >= len(rest),
        )
    return found


def ours(learnt: npt.NDArray[Any], asked: npt.NDArray[Any], number: int, detector: DeepSVDD) -> npt.NDArray[Any]:
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
    first, second = (torch.from_numpy((rows - mean) / spread).float() for rows in (learnt, asked))
    return detector.enclose(first, seed(number)).score(second)


@pytest.mark.slow
def test_it_tells_strange_rows_from_normal_ones_as_well_as_pyods_on_the_same_features() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stranger = pytest.importorskip("pyod.models.deep_svdd", reason="pyod is not installed")
    apart = []
    for name, (learnt, asked, strange) in one_class().items():
        own = np.mean([roc_auc_score(strange, ours(learnt, asked, number, DeepSVDD())) for number in SEEDS])
        theirs = []
        for number in SEEDS:
            np.random.seed(number)  # noqa: NPY002 - theirs draws from it
            other = stranger.DeepSVDD(learnt.shape[1], verbose=0, random_state=number).fit(learnt)
            theirs.append(roc_auc_score(strange, other.decision_function(asked)))
        apart.append(own - np.mean(theirs))
        assert apart[-1] > -0.02, name
    assert abs(np.mean(apart)) <= 0.02


def test_a_soft_boundary_leaves_the_chosen_share_of_normal_rows_outside() -> None:
    learnt, asked, strange = one_class()["digit 1"]
    soft = DeepSVDD(outside=0.2)
    assert np.mean(ours(learnt, learnt, 0, soft) > 0) == pytest.approx(0.2, abs=0.08)
    assert roc_auc_score(strange, ours(learnt, asked, 0, soft)) > 0.9


def test_a_soft_boundary_of_everything_outside_would_be_the_other_objective() -> None:
    """With a radius of 0, eq. 3 is eq. 4 divided by nu."""
    squares = torch.rand(9)
    assert DeepSVDD(outside=0.5)._loss(squares, 0.0) == pytest.approx(float(2 * DeepSVDD()._loss(squares, 0.0)))
    assert DeepSVDD(outside=0.5)._loss(squares, 1.0) == 1, "nothing lies outside"
    assert float(DeepSVDD(outside=0.25)._loss(torch.tensor([1.0, 3.0]), 2.0)) == pytest.approx(2 + 0.5 / 0.25)


@pytest.mark.parametrize("network", [_dense(7), _convolutions(3)], ids=["dense", "convolutions"])
def test_no_network_has_a_bias_and_no_centre_can_be_reached_by_weights_of_nothing(network: torch.nn.Module) -> None:
    assert [name for name, _ in network.named_parameters() if not name.endswith("weight")] == []
    inputs = torch.randn(40, 7) if isinstance(network[0], torch.nn.Linear) else torch.randn(40, 3, 32, 32)  # type: ignore[index]
    centre = _centre(network, inputs)
    assert centre.shape == (CODE,)
    assert float(centre.abs().min()) >= NEAREST


def fitted(sight: Sight) -> Alarm:
    return DeepSVDD(sight, epochs=8).fit(tiny(), pictures(200, size=20), seed(0))


@pytest.mark.parametrize("sight", Sight)
def test_images_of_another_kind_ring_whatever_is_looked_at(sight: Sight) -> None:
    alarm = fitted(sight)
    stripes = np.zeros((40, 20, 20, 3), dtype=np.uint8)
    stripes[:, :, ::4] = 255
    stripes[:, :, 1::4] = np.arange(40, dtype=np.uint8)[:, None, None, None] * 6
    assert (alarm.score(stripes) > alarm.threshold(0.05)).mean() > 0.9


def test_what_sets_the_threshold_was_not_learnt_from() -> None:
    normal = pictures(200)
    assert len(DeepSVDD(epochs=1, held_out=0.4).fit(tiny(), normal, seed(0)).normal) == 80
    alarm = DeepSVDD(epochs=1, held_out=0.4).fit(tiny(), normal, seed(0))
    everything = alarm.score(normal.pixels)
    assert np.isin(alarm.normal.round(6), everything.round(6)).all()


def test_features_are_what_the_models_last_layer_takes() -> None:
    first = DeepSVDD(Sight.FEATURES, epochs=1).fit(tiny(0), pictures(60), seed(0))
    other = DeepSVDD(Sight.FEATURES, epochs=1).fit(tiny(1), pictures(60), seed(0))
    one, two = (DeepSVDD(epochs=1).fit(tiny(number), pictures(60), seed(0)).normal for number in (0, 1))
    assert not np.allclose(first.normal, other.normal)
    assert np.array_equal(one, two), "pixels are the same whoever the model is"
