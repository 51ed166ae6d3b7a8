"""Characteristic examples: the band against scipy's transform, the slope against models shaken by hand, and a closed form."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed
from scipy.fft import dctn, idctn
from torch import nn
from torch.nn import functional

from ownmark.errors import ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner
from ownmark.schemes import SCHEMES
from ownmark.schemes.characteristic import Band, Characteristic
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify

IMAGES = pictures(60)
SCHEME = Characteristic(samples=6, descent=Descent(bound=0.6, momentum=0.0, steps=30), draws=2, cut=0.0)


@pytest.mark.parametrize("band", list(Band))
def test_what_is_kept_of_a_change_is_its_band_in_the_cosine_transform(band: Band) -> None:
    start, change = torch.full((2, 3, 8, 12), 0.5, dtype=torch.float64), torch.randn(2, 3, 8, 12, generator=seed(0)).double() / 20
    kept = Characteristic(band=band, cut=0.25)._kept(start, start + change) - start
    spectrum = dctn(change.numpy(), axes=(2, 3), norm="ortho")
    low = np.zeros(spectrum.shape, dtype=bool)
    low[:, :, :2, :3] = True
    wanted = idctn(np.where(low == (band is Band.LOW), spectrum, 0), axes=(2, 3), norm="ortho")
    assert np.allclose(kept.numpy(), wanted, atol=1e-12)


def test_the_loss_is_the_mean_over_models_whose_weights_were_shaken_one_by_one(trained: nn.Module) -> None:
    scheme = replace(SCHEME, noise=0.05, draws=3)
    look, aim = deepcopy(trained).requires_grad_(False), torch.tensor([0, 1, 2, 0])
    start = torch.rand(4, 3, 16, 16, generator=seed(1))
    loss, holds = scheme._objective(look, start, aim, seed(2), start, 0)
    rng, each, kept = seed(2), [], []
    for _ in range(3):
        shaken = deepcopy(look)
        for weight in shaken.parameters():
            weight.add_(2 * torch.rand(weight.shape, generator=rng) - 1, alpha=0.05)
        each.append(functional.cross_entropy(shaken(start), aim, reduction="none"))
        kept.append(shaken(start).argmax(dim=1) == aim)
    assert torch.allclose(loss, torch.stack(each).mean(dim=0), atol=1e-5)
    assert len({round(float(one.sum()), 3) for one in each}) == 3
    assert torch.equal(holds, torch.stack(kept).all(dim=0))


def test_without_noise_and_band_it_reaches_the_corner_of_the_bound_on_a_linear_model() -> None:
    head = nn.Linear(16, 2, bias=False)
    head.weight.data = torch.randn(2, 16, generator=seed(0))
    model = nn.Sequential(nn.Flatten(), head).requires_grad_(False)
    scheme = Characteristic(descent=Descent(bound=0.1, momentum=0.0, steps=60), noise=0.0, draws=1, cut=0.0)
    start, aim = torch.rand(5, 1, 4, 4, generator=seed(1)), torch.tensor([0, 1, 0, 1, 1])
    made = scheme.make(model, start, aim, seed(2))
    slope = head.weight[aim] - head.weight[1 - aim]
    corner = (start.flatten(1) + 0.1 * slope.sign()).clamp(0, 1)
    assert np.abs(made.images.reshape(5, 16) / 255 - corner.numpy()).max() <= 0.5 / 255 + 1e-5
    assert np.array_equal(made.holds, (model(torch.from_numpy(made.images).permute(0, 3, 1, 2) / 255).argmax(1) == aim).numpy())


def test_noise_becomes_images_of_the_drawn_classes_and_no_image_of_the_owners_is_looked_at(trained: nn.Module) -> None:
    before = deepcopy(trained)
    made = SCHEME.protect(trained, Owner(IMAGES), seed(1))
    black = replace(IMAGES, pixels=np.zeros_like(IMAGES.pixels))
    assert SCHEME.protect(trained, Owner(black), seed(1)).claim.digest == made.claim.digest
    assert made.model is trained
    assert same_weights(trained, before)
    assert made.claim.originals is None
    assert verify(made.claim, Local(trained)).deciding.score == 1
    assert SCHEME.protect(trained, Owner(IMAGES), seed(2)).claim.digest != made.claim.digest


def test_classes_that_noise_cannot_reach_are_an_error_that_says_how_many_did(trained: nn.Module) -> None:
    with pytest.raises(ProtectError, match="only 0 of 24 candidates hold"):
        replace(SCHEME, descent=Descent(bound=0.001, steps=1)).protect(trained, Owner(IMAGES), seed(1))


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"noise": -1.0}, {"noise": float("nan")}, {"draws": 0}, {"cut": 1.5}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"at least one sample|expected noise >= 0"):
        Characteristic(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [SCHEME, Characteristic(band=Band.LOW), Characteristic.as_published(7)], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: Characteristic) -> None:
    assert read(repr(scheme), SCHEMES) == scheme
