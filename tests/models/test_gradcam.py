"""Grad-CAM against captum, over architectures of every kind of head, and its promises on cost and on leaving no trace."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from conftest import same_weights, seed
from networks import CLASSES, TARGETS, assert_close, captum_maps, hooks_of, torchvision_model, vgg11
from torch import Tensor, nn

from ownmark.models.gradcam import GradCam
from ownmark.models.resnet import ResNet18


@dataclass(frozen=True)
class Case:
    """An architecture: what its last map and another layer are called, and whether the head above the last map is linear."""

    build: Callable[[], nn.Module]
    last: str
    other: str
    linear: bool
    size: int = 64


CASES = {
    "ours, imagenet stem": Case(partial(ResNet18, CLASSES, width=4), "stages", "stages.2", linear=True),
    "ours, cifar stem": Case(partial(ResNet18, CLASSES, width=4, stem="cifar"), "stages", "stem.relu", linear=True, size=32),
    "ours, last stride 1": Case(partial(ResNet18, CLASSES, width=4, last_stride=1), "stages", "stages.3.0", linear=True),
    "resnet18": Case(partial(torchvision_model, "resnet18"), "layer4", "layer3.0.conv1", linear=True),
    "vgg11": Case(vgg11, "features.19", "features.10", linear=False),
    "mobilenet_v3_small": Case(partial(torchvision_model, "mobilenet_v3_small"), "features", "features.6", linear=False),
    "densenet121": Case(partial(torchvision_model, "densenet121"), "features", "features.denseblock3", linear=False),
    "squeezenet1_1": Case(partial(torchvision_model, "squeezenet1_1"), "classifier.2", "features.9", linear=True),
    "efficientnet_b0": Case(partial(torchvision_model, "efficientnet_b0"), "features", "features.5", linear=True),
}
ALL = pytest.mark.parametrize("name", CASES)
LINEAR = pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.linear])


@cache
def built(name: str) -> nn.Module:
    """The model with random weights and lively batch norm: it has seen one batch, so that no activation dies on the way."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = CASES[name].build().train()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
        with torch.no_grad():
            model(images(name))
    return model.eval()


def images(name: str) -> Tensor:
    return torch.rand(4, 3, CASES[name].size, CASES[name].size, generator=seed(5))


@ALL
@pytest.mark.parametrize("layer", ["last", "other"])
def test_the_map_is_that_of_captum(name: str, layer: str) -> None:
    model, place = built(name), getattr(CASES[name], layer)
    cam = GradCam.of(model, images(name), None if layer == "last" else place)
    logits, maps = cam(images(name), TARGETS)
    assert cam.layer == place
    assert maps.shape[2] > 1
    assert_close(maps, captum_maps(model, place, images(name), TARGETS))
    assert torch.allclose(logits, model(images(name)), atol=1e-5)


@ALL
def test_the_closed_form_is_used_exactly_where_the_head_is_linear(name: str) -> None:
    case, model = CASES[name], built(name)
    assert (GradCam.of(model, images(name)).weights is not None) == case.linear
    assert GradCam.of(model, images(name), case.other).weights is None


@LINEAR
def test_the_closed_form_equals_the_general_way_and_so_do_its_gradients(name: str) -> None:
    closed = GradCam.of(built(name), images(name))
    pictures = [images(name).requires_grad_() for _ in range(2)]
    found = [cam(picture, TARGETS) for cam, picture in zip((closed, replace(closed, weights=None)), pictures, strict=True)]
    assert torch.allclose(found[0][0], found[1][0], atol=1e-6)
    assert_close(found[0][1], found[1][1].detach())
    weights = torch.rand(found[0][1].shape, generator=seed(1))
    slopes = [torch.autograd.grad((maps * weights).sum(), picture) for (_, maps), picture in zip(found, pictures, strict=True)]
    assert_close(slopes[0][0], slopes[1][0])


@pytest.mark.parametrize("name", ["ours, cifar stem", "resnet18", "mobilenet_v3_small", "densenet121", "efficientnet_b0"])
def test_the_gradient_of_a_map_is_the_one_that_finite_differences_give(name: str) -> None:
    model = deepcopy(built(name)).double()
    picture = images(name)[:1].double()
    cam = GradCam.of(model, picture)
    direction = torch.rand(picture.shape, generator=seed(2), dtype=torch.float64) - 0.5
    target = TARGETS[1:2]

    def value(shift: float) -> Tensor:
        return cam(picture + shift * direction, target)[1].sum()

    at = picture.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cam(at, target)[1].sum(), at)
    step = 1e-7
    wanted = (value(step) - value(-step)) / (2 * step)
    assert wanted.abs() > 0
    assert torch.allclose((slope * direction).sum(), wanted, rtol=1e-3)


@ALL
def test_a_backward_pass_is_run_inside_only_where_the_head_is_not_linear(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cam, kept = GradCam.of(built(name), images(name)), []
    original = torch.autograd.grad

    def counted(*args: Any, **options: Any) -> Any:
        kept.append(options.get("create_graph", False))
        return original(*args, **options)

    monkeypatch.setattr(torch.autograd, "grad", counted)
    cam(images(name), TARGETS)
    cam(images(name).requires_grad_(), TARGETS)
    assert kept == ([] if CASES[name].linear else [False, True])


@ALL
def test_each_image_has_the_map_that_it_has_alone(name: str) -> None:
    cam = GradCam.of(built(name), images(name))
    alone = [cam(images(name)[place : place + 1], TARGETS[place : place + 1])[1] for place in range(4)]
    assert_close(cam(images(name), TARGETS)[1], torch.cat(alone), within=1e-4)


@ALL
def test_reading_a_map_leaves_no_trace(name: str) -> None:
    model = built(name)
    before = deepcopy(model)
    given = images(name)
    logits, maps = GradCam.of(model, given)(given, TARGETS)
    assert not logits.requires_grad
    assert not maps.requires_grad
    assert torch.equal(given, images(name))
    assert same_weights(model, before)
    assert hooks_of(model) == 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module.training for module in model.modules())


@ALL
def test_a_map_can_be_read_without_gradients_and_from_frozen_weights(name: str) -> None:
    frozen = deepcopy(built(name)).requires_grad_(False)
    wanted = GradCam.of(built(name), images(name))(images(name), TARGETS)[1]
    with torch.no_grad():
        cam = GradCam.of(frozen, images(name))
        assert torch.allclose(cam(images(name), TARGETS)[1], wanted, rtol=1e-5)
    assert (cam.weights is not None) == CASES[name].linear
    picture = images(name).requires_grad_()
    (slope,) = torch.autograd.grad(cam(picture, TARGETS)[1].sum(), picture)
    assert slope.abs().max() > 0


@LINEAR
def test_an_output_that_is_asked_about_has_the_same_weights_and_the_others_have_none(name: str) -> None:
    model, asked = built(name), torch.tensor([5, 1, 5, 10**6])
    every, some = (GradCam.of(model, images(name), asked=which).weights for which in (None, asked))
    assert every is not None
    assert some is not None
    assert torch.equal(some[[1, 5]], every[[1, 5]])
    assert some.isnan().all(dim=1).sum() == len(every) - 2
