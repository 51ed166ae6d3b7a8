"""TAFA: regions that a linear programme says can be reached are reached, and inside one the network is one linear map."""

from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed
from scipy.optimize import linprog
from torch import nn

from ownmark.data.images import to_unit
from ownmark.errors import ModelError, ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner
from ownmark.schemes import SCHEMES
from ownmark.schemes.tafa import TAFA, Origin, Region
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify

IMAGES = pictures(60)
SCHEME = TAFA(samples=5, units=24, margin=0.1, search=Search(steps=60, rate=0.02))


def shallow(units: int = 6) -> nn.Sequential:
    """One layer of hidden units over 4x4 grey pixels, in double precision."""
    torch.manual_seed(0)
    parts = (nn.Flatten(), nn.Linear(16, units), nn.ReLU(inplace=True), nn.Linear(units, 3))
    return nn.Sequential(*parts).double().requires_grad_(False)


def reachable(model: nn.Sequential, sides: np.ndarray, heights: np.ndarray) -> bool:
    """Whether an image in [0, 1] exists with side * (w x + b) >= height for every hidden unit, by a linear programme."""
    weight, bias = (one.numpy() for one in model[1].parameters())
    found = linprog(np.zeros(16), A_ub=-sides[:, None] * weight, b_ub=sides * bias - heights, bounds=(0, 1))
    return bool(found.status == 0)


def whole(model: nn.Sequential, images: torch.Tensor, units: int = 6) -> Region:
    """A region of `images` in which every hidden unit has a side that the generator draws."""
    region = Region.drawn(model, images, units, seed(1))
    return replace(region, places=(torch.arange(units).repeat(len(images), 1),))


def test_a_region_is_reached_where_and_only_where_a_linear_programme_finds_a_way() -> None:
    model, images = shallow(), torch.rand(16, 1, 4, 4, generator=seed(2), dtype=torch.float64)
    region, margin = whole(model, images), 0.2
    changed = Search(steps=1000, rate=0.02).run(images, region.objective(margin))
    least = region.heights(changed).amin(dim=1)
    wanted = [reachable(model, sides.numpy(), np.full(6, margin * float(region.spreads[0]))) for sides in region.sides[0]]
    assert {True, False} == set(wanted)
    assert [height >= margin for height in least.tolist()] == wanted


def test_a_height_is_a_units_input_on_its_side_in_standard_deviations() -> None:
    model, images = shallow(), torch.rand(5, 1, 4, 4, generator=seed(2), dtype=torch.float64)
    region = whole(model, images)
    into = model[1](images.flatten(1))
    assert torch.allclose(region.heights(images), region.sides[0] * into / into.std())
    assert torch.allclose(region.heights(images[[3, 1]], torch.tensor([3, 1])), region.heights(images)[[3, 1]])


def test_between_two_images_of_one_region_the_answer_is_the_mean_of_theirs() -> None:
    model, start = shallow(), torch.rand(12, 1, 4, 4, generator=seed(2), dtype=torch.float64)
    region = replace(whole(model, start), sides=((2 * torch.tensor([1, 0, 1, 1, 0, 1]) - 1).double().repeat(12, 1),))
    changed = Search(steps=1000, rate=0.02).run(start, region.objective(0.01))
    inside = changed[region.heights(changed).amin(dim=1) > 0]
    assert len(inside) >= 2
    for one, other in pairwise(inside):
        answers = model(torch.stack([one, other, (one + other) / 2]))
        assert torch.allclose(answers[2], (answers[0] + answers[1]) / 2)


def test_every_relu_that_is_run_has_its_share_of_the_units(trained: nn.Module) -> None:
    region = Region.drawn(trained, to_unit(IMAGES.pixels[:3], torch.device("cpu")), 40, seed(0))
    assert len(region.places) == 17  # ResNet-18: its stem, and two in each of eight blocks
    assert {tuple(places.shape) for places in region.places} == {(3, 3)}


@pytest.mark.parametrize("origin", list(Origin))
def test_the_claim_holds_on_its_model_which_is_left_as_it_was(origin: Origin, trained: nn.Module) -> None:
    before, scheme = deepcopy(trained), replace(SCHEME, origin=origin)
    made = scheme.protect(trained, Owner(IMAGES), seed(1))
    assert made.model is trained
    assert same_weights(trained, before)
    assert not any(module._forward_pre_hooks for module in trained.modules())
    assert (made.claim.originals is None) == (origin is Origin.NOISE)
    assert verify(made.claim, Local(trained)).deciding.score == 1
    black = Owner(replace(IMAGES, pixels=np.zeros_like(IMAGES.pixels)))
    same = scheme.protect(trained, black, seed(1)).claim.digest == made.claim.digest
    assert same == (origin is Origin.NOISE), "noise needs no image of the owner's"


def test_regions_out_of_reach_are_an_error_that_says_how_many_were_reached(trained: nn.Module) -> None:
    with pytest.raises(ProtectError, match="only 0 of 20 candidates hold"):
        replace(SCHEME, search=Search(steps=1, rate=1e-6)).protect(trained, Owner(IMAGES), seed(1))


def test_a_model_without_a_relu_has_no_linear_regions() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(ModelError, match=r"runs no nn\.ReLU"):
        SCHEME.protect(model, Owner(IMAGES), seed(1))


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"units": 0}, {"margin": -1.0}, {"least": 1.5}])
def test_settings_without_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=r"at least one sample|expected units > 0"):
        TAFA(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [SCHEME, TAFA(), TAFA.as_published(7)], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: TAFA) -> None:
    assert read(repr(scheme), SCHEMES) == scheme
