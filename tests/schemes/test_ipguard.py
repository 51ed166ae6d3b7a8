"""IPGuard does what its paper says: known answers on linear models, and the same images as one at a time."""

from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import pictures, same_weights, seed
from torch import Tensor, nn

from ownmark.data.images import to_unit
from ownmark.errors import ProtectError, UsageError
from ownmark.method_strings import read
from ownmark.perturb.adam import Search
from ownmark.protocols import Owner
from ownmark.schemes import SCHEMES
from ownmark.schemes.ipguard import Aim, IPGuard, boundary_loss
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify

IMAGES = pictures(60)
SCHEME = IPGuard(samples=12, margin=1.0, search=Search(steps=400, rate=0.01))


def linear(classes: int, number: int = 0) -> nn.Module:
    """Logits that are linear in an image of 4x4 grey pixels."""
    head = nn.Linear(16, classes, bias=False)
    head.weight.data = torch.randn(classes, 16, generator=seed(number))
    return nn.Sequential(nn.Flatten(), head).double().requires_grad_(False)


def literal(model: nn.Module, image: Tensor, margin: float, search: Search) -> Tensor:
    """The paper's method as it is written: one image, the least likely class, torch's Adam, until the loss is nothing."""
    image = image.clone().requires_grad_()
    own, aim = int(model(image[None])[0].argmax()), int(model(image[None])[0].argmin())
    adam = torch.optim.Adam([image], lr=search.rate)
    for _ in range(search.steps):
        logits = model(image[None])[0]
        rest = [logit for place, logit in enumerate(logits) if place not in {own, aim}]
        loss = (logits[own] - logits[aim] + margin).relu() + (torch.stack(rest).max() - logits[own]).relu()
        if loss <= 0:
            break
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            image.clamp_(0, 1)
    return image.detach()


def test_on_a_linear_model_of_two_classes_it_takes_the_steps_that_the_distance_to_the_boundary_says() -> None:
    model, images = linear(2), 0.5 + 0.1 * torch.rand(6, 1, 4, 4, generator=seed(1), dtype=torch.float64)
    logits = model(images)
    own = logits.argmax(dim=1)
    scheme = IPGuard(margin=0.05, search=Search(steps=500, rate=0.0005))
    changed = scheme.search.run(images, partial(scheme._objective, model, own, 1 - own))
    weight = next(model.parameters())
    slopes = weight[1 - own] - weight[own]
    gap = (logits.amax(dim=1) - logits.amin(dim=1)) + scheme.margin
    steps = torch.ceil(gap / (scheme.search.rate * slopes.abs().sum(dim=1)))  # Adam on a constant slope: its sign
    expected = images.flatten(1) + scheme.search.rate * steps[:, None] * slopes.sign()
    assert torch.allclose(changed.flatten(1), expected, atol=1e-7)
    lead = (model(changed) * torch.stack([2 * own - 1, 1 - 2 * own], dim=1)).sum(dim=1)
    assert torch.all((scheme.margin <= lead) & (lead < scheme.margin + scheme.search.rate * slopes.abs().sum(dim=1) + 1e-9))


def test_many_images_at_once_become_what_each_becomes_alone(trained: nn.Module) -> None:
    model = deepcopy(trained).double().requires_grad_(False)
    images = to_unit(IMAGES.pixels[:5], torch.device("cpu")).double()
    logits, search = model(images), Search(steps=40, rate=0.01)
    scheme = IPGuard(margin=0.5, search=search)
    changed = search.run(images, partial(scheme._objective, model, logits.argmax(dim=1), logits.argmin(dim=1)))
    assert (changed - images).abs().amax() > 0.01
    for image, found in zip(images, changed, strict=True):
        assert torch.allclose(found, literal(model, image, 0.5, search), atol=1e-6)


def test_the_loss_is_nothing_where_the_aim_leads_by_the_margin_and_the_old_class_comes_second() -> None:
    logits = torch.tensor([[1.0, 4.0, 0.0], [1.0, 2.0, 0.0], [1.0, 4.0, 3.0], [4.0, 1.0, 0.0]])
    loss = boundary_loss(logits, torch.zeros(4, dtype=torch.long), torch.ones(4, dtype=torch.long), 3.0)
    assert loss.tolist() == [0.0, 2.0, 2.0, 6.0]


def test_every_sample_holds_as_8_bits_on_the_model_which_is_left_as_it_was(trained: nn.Module) -> None:
    before = deepcopy(trained)
    made = SCHEME.protect(trained, Owner(IMAGES), seed(1))
    assert made.model is trained
    assert same_weights(trained, before)
    claim = made.claim
    assert claim.images.shape == (12, 1, 16, 16, 3)
    assert claim.originals is not None
    assert not np.array_equal(claim.originals, claim.images[:, 0])
    assert (claim.tests[0].reading, claim.tests[0].target_score) == (Reading.LABEL, 1.0)
    assert isinstance(claim.tests[0].null, Uncalibrated)
    assert verify(claim, Local(trained)).deciding.score == 1
    assert claim.built_with == ()


@pytest.mark.parametrize("aim", list(Aim))
def test_the_aim_says_beyond_which_boundary_an_image_goes(aim: Aim) -> None:
    logits = torch.tensor([[0.0, 3.0, 2.0, 1.0]] * 200)
    found = replace(SCHEME, aim=aim)._aims(logits, seed(0))
    assert set(found.tolist()) == {Aim.LEAST: {0}, Aim.RANDOM: {0, 2, 3}}[aim]


def test_a_bound_holds(trained: nn.Module) -> None:
    scheme = replace(SCHEME, search=Search(steps=400, rate=0.01, bound=0.3))
    made = scheme.make(trained, IMAGES.pixels[:8], seed(0))
    assert made.originals is not None
    assert 0.1 < np.abs(made.images.astype(int) - made.originals).max() / 255 <= 0.3 + 0.5 / 255


def test_the_same_generator_gives_the_same_claim_and_another_another(trained: nn.Module) -> None:
    scheme = replace(SCHEME, samples=4)
    first, second, other = (scheme.protect(trained, Owner(IMAGES), seed(number)).claim.digest for number in (1, 1, 2))
    assert first == second != other


def test_too_few_that_hold_are_an_error_that_says_how_many(trained: nn.Module) -> None:
    scheme = replace(SCHEME, search=Search(steps=1, rate=1e-6))
    with pytest.raises(ProtectError, match="only 0 of 48 candidates hold"):
        scheme.protect(trained, Owner(IMAGES), seed(1))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"rate": 0.0}, {"bound": 0.0}, {"bound": 2.0}, {"rate": float("nan")}])
def test_a_search_that_cannot_move_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected steps and a rate above 0"):
        Search(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", [SCHEME, IPGuard(aim=Aim.RANDOM), IPGuard.as_published(7)], ids=repr)
def test_what_the_repr_says_is_read_back(scheme: IPGuard) -> None:
    assert read(repr(scheme), SCHEMES) == scheme
