"""Models: ResNet-18 is torchvision's at full width, layers are found in any network, and preparing changes a copy only."""

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
from conftest import same_weights, tiny
from torch import nn
from torchvision import models

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError
from ownmark.models.gradcam import GradCam
from ownmark.models.layers import Layers, last_layer, open_layers, reinitialise
from ownmark.models.prepared import prepared, preprocess_of
from ownmark.models.resnet import ResNet18

IMAGENET = Preprocess((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def test_at_full_width_it_is_torchvisions_resnet18() -> None:
    ours, theirs = ResNet18(10).eval(), models.resnet18(num_classes=10).eval()
    weights = dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=True))
    ours.load_state_dict(weights)
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs((images - 0.5) / 0.25), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "size", "cells"),
    [
        ({}, 64, 2),
        ({"last_stride": 1}, 64, 4),
        ({"last_stride": 1}, 112, 7),
        ({"stem": "cifar"}, 32, 4),
        ({"stem": "cifar"}, 28, 4),
        ({"stem": "cifar", "last_stride": 1}, 28, 7),
    ],
)
def test_the_map_has_the_size_that_the_stem_and_the_last_stride_promise(options: dict[str, Any], size: int, cells: int) -> None:
    model = ResNet18(3, width=4, channels=1, **options).eval()
    images = torch.rand(1, 1, size, size)
    maps = GradCam.of(model, images)(images, torch.tensor([0]))[1]
    assert maps.shape == (1, cells, cells)


def test_an_unknown_stem_is_an_error_and_not_another_model() -> None:
    with pytest.raises(ModelError, match="imagenet"):
        ResNet18(3, stem="imagnet")  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"width": 0}, {"channels": 0}, {"classes": 0}, {"last_stride": 0}])
def test_a_model_of_no_size_cannot_be_built(options: dict[str, int]) -> None:
    with pytest.raises(ModelError):
        ResNet18(**{"classes": 3} | options)  # type: ignore[arg-type]


def test_prepared_normalises_in_a_copy_that_keeps_its_names() -> None:
    model = tiny()
    ready = prepared(model, IMAGENET)
    images = torch.rand(4, 3, 16, 16)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET.mean, IMAGENET.std))
    with torch.no_grad():
        assert torch.allclose(ready(images), model((images - mean) / std), atol=1e-6)
        assert not torch.allclose(ready(images), model(images), atol=1e-3)
    assert same_weights(ready, model)
    assert not model._forward_pre_hooks
    assert preprocess_of(ready) == IMAGENET
    assert preprocess_of(model) == Preprocess()
    assert preprocess_of(deepcopy(ready)) == IMAGENET


def test_preparing_for_images_as_they_are_changes_no_answer() -> None:
    images = torch.rand(4, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(prepared(tiny(), Preprocess())(images), tiny()(images))


def test_a_prepared_model_gives_gradients_to_the_image() -> None:
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(prepared(tiny(), Preprocess((0.5,), (0.25,)))(images).sum(), images)
    inner = ((images - 0.5) / 0.25).detach().requires_grad_()
    (wanted,) = torch.autograd.grad(tiny()(inner).sum(), inner)
    assert torch.allclose(slope, wanted / 0.25, atol=1e-4)


def test_preparing_twice_is_an_error_and_not_a_second_normalisation() -> None:
    with pytest.raises(ModelError, match="prepared before"):
        prepared(prepared(tiny(), IMAGENET), IMAGENET)


ZOO = {
    "ours": (ResNet18(3, width=4), "head"),
    "resnet18": (models.resnet18(num_classes=3), "fc"),
    "mobilenet_v3_small": (models.mobilenet_v3_small(num_classes=3), "classifier.3"),
    "densenet121": (models.densenet121(num_classes=3), "classifier"),
    "squeezenet1_1": (models.squeezenet1_1(num_classes=3), "classifier.1"),
    "googlenet": (models.googlenet(num_classes=3, init_weights=False), "fc"),
}


@pytest.mark.parametrize("name", ZOO)
def test_the_last_layer_is_the_one_that_tells_the_classes_apart(name: str) -> None:
    model, wanted = ZOO[name]
    assert last_layer(model) is model.get_submodule(wanted)


@pytest.mark.parametrize("name", ZOO)
def test_opening_the_last_layer_closes_all_others(name: str) -> None:
    model = deepcopy(ZOO[name][0])
    open_layers(model, Layers.LAST)
    opened = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert opened == {f"{ZOO[name][1]}.{part}" for part, _ in model.get_submodule(ZOO[name][1]).named_parameters()}
    open_layers(model, Layers.ALL)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_model_without_a_layer_to_change_is_an_error() -> None:
    with pytest.raises(ModelError, match="no linear or convolutional layer"):
        last_layer(nn.Sequential(nn.ReLU()))


@pytest.mark.parametrize("name", [*ZOO, "vit"])
def test_drawing_a_model_anew_leaves_none_of_its_weights(name: str) -> None:
    small = models.VisionTransformer(16, 8, 1, 2, 8, 16, num_classes=3)
    model = deepcopy(small if name == "vit" else ZOO[name][0])
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(7)
    try:
        reinitialise(model)
    except ModelError as error:
        assert name == "vit"
        assert "class_token" in str(error)  # noqa: PT017 - only this one model has such a weight
    else:
        assert name != "vit"
        assert not any((tensor == 7).any() for tensor in model.state_dict().values())


def test_the_names_of_layers_can_be_read_back() -> None:
    assert [eval(repr(layers)) for layers in Layers] == list(Layers)  # noqa: S307 - our own repr
    assert np.all([isinstance(layers, str) for layers in Layers])
