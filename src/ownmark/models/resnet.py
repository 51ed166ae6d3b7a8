"""ResNet-18 of any width (He et al. 2016, arXiv:1512.03385), for CPUs as well as GPUs.

Differs from the paper: the width of the first stage, the stem and the stride of the last stage are parameters, so that a
small image still yields a 7x7 map.
"""

from collections import OrderedDict
from typing import Literal, get_args

from torch import Tensor, nn

from ownmark.errors import ModelError

Stem = Literal["imagenet", "cifar"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them (section 3.3), under the names that torchvision gives them.

    torchvision's own would load its compiler with it, which makes every command a second slower.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = shortcut

    def forward(self, images: Tensor) -> Tensor:
        changed: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(images)))))
        changed += images if self.downsample is None else self.downsample(images)
        features: Tensor = self.relu(changed)
        return features


class ResNet18(nn.Module):
    """Logits (n, classes) of images (n, channels, height, width) in [0, 1].

    The map before pooling has 1/32 of the image's side with the ImageNet stem, 1/8 with the CIFAR stem; `last_stride=1`
    doubles that.
    """

    def __init__(
        self, classes: int, *, width: int = 64, channels: int = 3, stem: Stem = "imagenet", last_stride: int = 2
    ) -> None:
        super().__init__()
        if stem not in get_args(Stem) or min(classes, width, channels, last_stride) < 1:
            sizes = f"classes={classes}, width={width}, channels={channels}, last_stride={last_stride}"
            raise ModelError(f"expected a stem of {get_args(Stem)} and sizes of at least 1, got {stem!r}, {sizes}")
        self.stem = _stem(stem, channels, width)
        self.stages = nn.Sequential(
            _stage(width, width, 1),
            _stage(width, 2 * width, 2),
            _stage(2 * width, 4 * width, 2),
            _stage(4 * width, 8 * width, last_stride),
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8 * width, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        features = self.stages(self.stem((images - 0.5) / 0.25))
        logits: Tensor = self.head(self.pool(features).flatten(1))
        return logits


def _stem(stem: Stem, channels: int, width: int) -> nn.Sequential:
    size, stride = (7, 2) if stem == "imagenet" else (3, 1)
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(channels, width, size, stride, size // 2, bias=False),
        norm=nn.BatchNorm2d(width),
        relu=nn.ReLU(inplace=True),
    )
    if stem == "imagenet":
        layers["pool"] = nn.MaxPool2d(3, 2, 1)
    return nn.Sequential(layers)


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
    return nn.Sequential(BasicBlock(inputs, outputs, stride, shortcut), BasicBlock(outputs, outputs))
