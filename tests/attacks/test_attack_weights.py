"""Thieves who train nothing: statistics estimated anew, weights rounded and shaken."""

from dataclasses import replace

import pytest
import torch
from conftest import pictures, seed, tiny
from thieves import applied, changed
from torch import Tensor, nn

from ownmark.attacks.noise import Noise
from ownmark.attacks.quantize import Quantize, RoundInput
from ownmark.attacks.quantize_static import CutInput, QuantizeStatic
from ownmark.attacks.recalibrate import Recalibrate
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.training import predict

NORMS = ("running_mean", "running_var", "num_batches_tracked")


def statistics(model: nn.Module, number: int = 0) -> tuple[Tensor, Tensor]:
    """What goes into the first normalisation for all pictures at once, as mean and variance of each channel."""
    images = pictures(number=number)
    with torch.no_grad():
        values = model.get_submodule("stem.conv")((images.batch(torch.arange(24), torch.device("cpu")) - 0.5) / 0.25)
    return values.mean((0, 2, 3)), values.var((0, 2, 3))


def test_recalibration_moves_all_statistics_and_no_weight() -> None:
    stolen, found = tiny(), applied(Recalibrate(), tiny())
    wanted = {name for name in stolen.state_dict() if name.endswith(NORMS)}
    moved = changed(found, stolen)
    assert moved <= wanted
    assert {name for name in wanted if not name.endswith(NORMS[2])} <= moved
    assert [part.momentum for part in found.modules() if isinstance(part, nn.BatchNorm2d)] == [0.1] * 20


@pytest.mark.parametrize("batch", [24, 100])
def test_recalibration_on_one_batch_is_that_batchs_mean_and_variance(batch: int) -> None:
    found = applied(Recalibrate(batches=9, batch=batch), tiny())
    mean, variance = statistics(tiny())
    assert torch.allclose(found.get_buffer("stem.norm.running_mean"), mean, atol=1e-5)
    assert torch.allclose(found.get_buffer("stem.norm.running_var"), variance, rtol=1e-4)


def test_recalibration_averages_its_batches_alike_and_takes_no_image_twice() -> None:
    told: list[tuple[int, int]] = []
    found = Recalibrate(batches=9, batch=6).apply(tiny(), pictures(), seed(0), lambda *step: told.append(step))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.get_buffer("stem.norm.num_batches_tracked") == 4
    assert torch.allclose(found.get_buffer("stem.norm.running_mean"), statistics(tiny())[0], atol=1e-5)
    few = applied(Recalibrate(batches=2, batch=6), tiny())
    assert few.get_buffer("stem.norm.num_batches_tracked") == 2


def test_recalibration_forgets_what_the_statistics_were() -> None:
    stolen = tiny()
    stolen.get_buffer("stem.norm.running_mean").fill_(1000)
    assert not changed(applied(Recalibrate(), stolen), applied(Recalibrate(), tiny()))


def test_recalibration_without_anything_to_estimate_is_an_error() -> None:
    bare = nn.Sequential(nn.Flatten(), nn.Linear(768, 3), nn.BatchNorm1d(3, track_running_stats=False))
    with pytest.raises(ModelError, match="no batch normalisation"):
        applied(Recalibrate(), bare)
    with pytest.raises(DataError):
        applied(Recalibrate(), tiny(), thief=pictures().take([]))
    with pytest.raises(UsageError):
        Recalibrate(batches=0)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_weights_are_those_of_torchs_own_fake_quantisation(bits: int) -> None:
    found, most = applied(Quantize(bits), tiny()), 2 ** (bits - 1) - 1
    for name, part in tiny().named_modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            step = part.weight.detach().flatten(1).abs().amax(1) / most
            zero = torch.zeros(len(step), dtype=torch.int32)
            wanted = torch.fake_quantize_per_channel_affine(part.weight, step, zero, 0, -most, most)
            weight = found.get_parameter(f"{name}.weight")
            assert torch.allclose(weight, wanted, atol=1e-6)
            assert all(len(row.unique()) <= 2 * most + 1 for row in weight)
    assert {name for name in changed(found, tiny()) if name.endswith("bias") or "norm" in name} == set()


def test_eight_bits_hardly_change_an_answer_and_two_do() -> None:
    answers = predict(tiny(), pictures())
    apart = [float((predict(applied(Quantize(bits, bits), tiny()), pictures()) - answers).abs().max()) for bits in (8, 2)]
    assert 0 < apart[0] < 0.05 * float(answers.abs().max()) < apart[1]


def test_rounded_activations_are_those_of_torchs_own_fake_quantisation_and_gradients_pass() -> None:
    values = torch.randn(3, 2, 4, 4, generator=seed(0)).requires_grad_(True)
    (found,) = RoundInput(8)(nn.Identity(), (values,))
    for one, rounded in zip(values.detach(), found.detach(), strict=True):
        step = float(one.max() - one.min()) / 255
        wanted = torch.fake_quantize_per_tensor_affine(one, step, -round(float(one.min()) / step), 0, 255)
        assert torch.allclose(rounded, wanted, atol=1e-5)
    (slope,) = torch.autograd.grad(found.sum(), values)
    assert torch.equal(slope, torch.ones_like(values))


def test_zeros_stay_zeros_when_they_are_rounded() -> None:
    stolen = tiny()
    with torch.no_grad():
        stolen.head.weight[0].zero_()
    assert applied(Quantize(8, 8), stolen).get_parameter("head.weight")[0].abs().max() == 0
    assert RoundInput(8)(nn.Identity(), (torch.zeros(2, 3),))[0].abs().max() == 0


def test_what_leaves_the_range_of_the_calibration_images_is_cut() -> None:
    values = torch.linspace(-1, 2, 301)
    (found,) = CutInput(0.0, 0.5, 8)(nn.Identity(), (values,))
    assert torch.allclose(found, torch.fake_quantize_per_tensor_affine(values, 0.5 / 255, 0, 0, 255), atol=1e-6)
    assert (float(found.min()), float(found.max())) == (0.0, 0.5)


def test_static_ranges_are_those_of_the_thiefs_images() -> None:
    dark = replace(pictures(), pixels=pictures().pixels // 4)
    bright, own = predict(tiny(), pictures()), predict(tiny(), dark)
    found = applied(QuantizeStatic(), tiny(), thief=dark)
    assert float((predict(found, dark) - own).abs().max()) < 0.1 * float(own.abs().max())
    assert float((predict(found, pictures()) - bright).abs().max()) > 0.1 * float(bright.abs().max())


def test_noise_is_as_large_as_it_was_asked_for_in_every_tensor() -> None:
    found, stolen = applied(Noise(0.3), tiny()), tiny()
    for name, weight in stolen.named_parameters():
        moved, spread = (found.get_parameter(name) - weight).detach().std(), weight.detach().std(correction=0)
        if weight.numel() > 1000:
            assert float(moved / spread) == pytest.approx(0.3, rel=0.1)
        assert float(moved) > 0 or float(spread) == 0
    assert not changed(applied(Noise(0), tiny()), tiny())


@pytest.mark.parametrize(
    "make",
    [lambda: Noise(-1), lambda: Noise(float("nan")), lambda: Quantize(1), lambda: Quantize(8, -1), lambda: QuantizeStatic(1)],
)
def test_what_cannot_be_rounded_or_shaken_is_an_error(make: type) -> None:
    with pytest.raises(UsageError):
        make()
