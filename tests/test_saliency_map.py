"""Grad-CAM against captum, over architectures of every kind of head, and its promises on cost and on leaving no trace."""

from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import pytest
import torch
from captum.attr import LayerGradCam
from conftest import same_weights, seed
from torch import Tensor, nn
from torch.nn import functional
from torchvision import models

from ownmark.errors import ModelError
from ownmark.models.resnet import ResNet18
from ownmark.saliency import GradCam, last_map, normalised

CLASSES = 7


@dataclass(frozen=True)
class Case:
    """An architecture: what its last map and another layer are called, and whether the head above the last map is linear."""

    build: Callable[[], nn.Module]
    last: str
    other: str
    linear: bool
    size: int = 64


def torchvision_model(name: str, **options: Any) -> nn.Module:
    model: nn.Module = models.get_model(name, weights=None, num_classes=CLASSES, **options)
    return model


CASES = {
    "ours, imagenet stem": Case(partial(ResNet18, CLASSES, width=4), "stages", "stages.2", linear=True),
    "ours, cifar stem": Case(partial(ResNet18, CLASSES, width=4, stem="cifar"), "stages", "stem.relu", linear=True, size=32),
    "ours, last stride 1": Case(partial(ResNet18, CLASSES, width=4, last_stride=1), "stages", "stages.3.0", linear=True),
    "resnet18": Case(partial(torchvision_model, "resnet18"), "layer4", "layer3.0.conv1", linear=True),
    "vgg11": Case(partial(torchvision_model, "vgg11", init_weights=False), "features.19", "features.10", linear=False),
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


TARGETS = torch.tensor([0, 3, 6, 2])


def assert_close(found: Tensor, wanted: Tensor, within: float = 1e-5) -> None:
    """Equal to a share of the largest value of each row; the rows are not all zero, or nothing would be compared."""
    largest = wanted.flatten(1).abs().amax(1)
    lively = largest > 0
    assert lively.sum() >= 2
    error = (found - wanted).flatten(1).abs().amax(1)
    assert (error[lively] / largest[lively]).max() <= within
    assert error[~lively].sum() == 0


def captum_maps(model: nn.Module, layer: str, inputs: Tensor, targets: Tensor) -> Tensor:
    oracle = LayerGradCam(model, model.get_submodule(layer))
    maps: Tensor = oracle.attribute(inputs, targets, relu_attributions=True)
    return maps.detach()[:, 0]


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


def hooks_of(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def tiny_network(**changes: nn.Module) -> nn.Sequential:
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        convolution=nn.Conv2d(3, 5, 3, padding=1),
        relu=nn.ReLU(inplace=True),
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        head=nn.Linear(5, CLASSES),
    )
    torch.manual_seed(0)
    return nn.Sequential(OrderedDict(parts | changes)).eval()


@pytest.fixture
def picture() -> Tensor:
    return torch.rand(4, 3, 8, 8, generator=seed(7))


class WithSpareLayer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.spare, self.aside = tiny_network(), nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        self.aside(inputs)
        logits: Tensor = self.body(inputs)
        return logits


class ExcitingLast(nn.Module):
    """Squeeze and excitation as the last step: the last convolution to run puts out one position."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.gate, self.head = nn.Conv2d(3, 5, 3), nn.Conv2d(5, 5, 1), nn.Linear(5, CLASSES)

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.convolution(inputs)
        gated = features * self.gate(features.mean((2, 3), keepdim=True)).sigmoid()
        logits: Tensor = self.head(gated.mean((2, 3)))
        return logits


class Hypernetwork(nn.Module):
    """Every step of the head is linear, but its weights depend on the image too."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.maker, self.bias = nn.Conv2d(3, 5, 3), nn.Linear(5, 5 * CLASSES), nn.Parameter(torch.ones(CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        features = self.convolution(inputs).mean((2, 3))
        rows = [functional.linear(one[None], self.maker(one[None]).view(CLASSES, 5), self.bias) for one in features]
        return torch.cat(rows) if len(rows) > 1 else rows[0]


class Segmenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, CLASSES, 3)

    def forward(self, inputs: Tensor) -> dict[str, Tensor]:
        return {"out": self.convolution(inputs)}


def test_a_model_without_a_convolution_is_an_error(picture: Tensor) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, CLASSES))
    with pytest.raises(ModelError, match=r"no nn\.Conv2d"):
        GradCam.of(model, picture)
    assert hooks_of(model) == 0


def test_an_unknown_layer_is_an_error_that_names_near_ones(picture: Tensor) -> None:
    with pytest.raises(ModelError, match="no layer 'convolutoin'; near it: convolution"):
        GradCam.of(tiny_network(), picture, "convolutoin")


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("spare", "was not run"),
        ("aside", "do not depend"),
        ("body.flatten", r"puts out a tensor of shape \(1, 5\)"),
        ("body.head", r"needs \(n, channels, h, w\)"),
        ("", "needs"),
    ],
)
def test_a_layer_that_has_no_map_is_an_error_that_says_why(picture: Tensor, layer: str, message: str) -> None:
    for model in (WithSpareLayer(), WithSpareLayer().requires_grad_(False)):
        with pytest.raises(ModelError, match=message):
            GradCam.of(model, picture, layer)
        assert hooks_of(model) == 0


def test_a_model_that_is_no_classifier_is_an_error(picture: Tensor) -> None:
    for model in (Segmenter(), nn.Sequential(nn.Conv2d(3, CLASSES, 3))):
        with pytest.raises(ModelError, match=r"\(n, classes\)"):
            GradCam.of(model, picture)
        assert hooks_of(model) == 0


def test_hooks_are_gone_after_the_model_itself_failed(picture: Tensor) -> None:
    model = tiny_network()
    cam = GradCam.of(model, picture)
    for call in (lambda: cam(picture[:, :2], TARGETS), lambda: GradCam.of(model, picture[:, :2])):
        with pytest.raises(RuntimeError):
            call()
        assert hooks_of(model) == 0


def test_the_users_own_hooks_stay(picture: Tensor) -> None:
    model = tiny_network()
    model.get_submodule("relu").register_forward_hook(lambda *_: None)
    GradCam.of(model, picture)(picture, TARGETS)
    assert hooks_of(model) == 1


@pytest.mark.parametrize("layer", ["convolution", "relu"])
def test_a_layer_behind_which_a_relu_works_in_place_is_seen_as_it_was(picture: Tensor, layer: str) -> None:
    for head in ({}, {"head": nn.Sequential(nn.Linear(5, 9), nn.ReLU(inplace=True), nn.Linear(9, CLASSES))}):
        careless, careful = tiny_network(**head), tiny_network(**head, relu=nn.ReLU())
        careful.load_state_dict(careless.state_dict())
        maps = [GradCam.of(model, picture, layer)(picture, TARGETS)[1] for model in (careless, careful)]
        assert_close(maps[0], maps[1])
        slopes = []
        for model in (careless, careful):
            at = picture.clone().requires_grad_()
            slopes.append(torch.autograd.grad(GradCam.of(model, picture, layer)(at, TARGETS)[1].sum(), at)[0])
        assert_close(slopes[0], slopes[1])


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        (tiny_network(), "relu"),
        (tiny_network(relu=nn.Sequential(nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 5, 1), nn.Dropout2d())), "relu"),
        (ExcitingLast(), "convolution"),
        (torchvision_model("googlenet", init_weights=False, aux_logits=False).eval(), "inception5b"),
        (torchvision_model("shufflenet_v2_x0_5").eval(), "conv5"),
    ],
    ids=["plain", "pooled between", "excitation last", "googlenet", "shufflenet"],
)
def test_the_default_layer_is_what_global_pooling_gets_to_see(model: nn.Module, layer: str) -> None:
    assert last_map(model, torch.rand(1, 3, 64, 64)) == layer


def test_a_head_whose_weights_depend_on_the_image_is_not_taken_for_a_linear_one(picture: Tensor) -> None:
    model = Hypernetwork().eval()
    cam = GradCam.of(model, picture, "convolution")
    assert cam.weights is None
    assert_close(cam(picture, TARGETS)[1], captum_maps(model, "convolution", picture, TARGETS))


def test_dropout_that_is_on_keeps_the_head_from_being_taken_for_a_linear_one(picture: Tensor) -> None:
    assert GradCam.of(tiny_network(flatten=nn.Sequential(nn.Flatten(), nn.Dropout())), picture).weights is not None
    model = tiny_network(flatten=nn.Sequential(nn.Flatten(), nn.Dropout()))
    model.get_submodule("flatten").train()
    assert GradCam.of(model, picture).weights is None


def test_normalised_maps_have_length_one_and_an_empty_one_stays_empty() -> None:
    maps = torch.stack([torch.rand(3, 3, generator=seed(1)), torch.zeros(3, 3), torch.eye(3)])
    found = normalised(maps)
    assert found.flatten(1).norm(dim=1).tolist() == pytest.approx([1, 0, 1])
    assert torch.allclose(found[2], torch.eye(3) / 3**0.5)
    single = torch.zeros(1, 2, 2)
    single[0, 1, 0] = 1e-3
    assert normalised(single).max() == pytest.approx(1)
