"""Networks to take maps of, and how two maps are compared."""

from collections import OrderedDict
from typing import Any

import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn
from torchvision import models
from torchvision.models.vgg import cfgs, make_layers

CLASSES = 7


def torchvision_model(name: str, **options: Any) -> nn.Module:
    model: nn.Module = models.get_model(name, weights=None, num_classes=CLASSES, **options)
    return model


def vgg11(classes: int = CLASSES) -> nn.Module:
    """torchvision's VGG-11 with 64 in place of 4,096 hidden neurons, which take a second to draw."""
    hidden = [nn.Linear(512, 64), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(64, 64), nn.ReLU(inplace=True), nn.Dropout()]
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        features=make_layers(cfgs["A"]),
        avgpool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        classifier=nn.Sequential(*hidden, nn.Linear(64, classes)),
    )
    return nn.Sequential(parts)


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
