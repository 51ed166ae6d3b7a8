"""A process that convolves, forward and backward, in the layouts that the project gives.

`python convolutions.py known THREADS[,THREADS] BATCH:SIZE...` walks every distinct convolution of known networks,
`python convolutions.py every THREADS BATCH:SIZE...` every width from 1 to 64 with every usual kernel and stride, in each layout
that the rule allows it. Both end with 0 and say how many there were. Where memory is corrupted, a checking allocator ends the
process; valgrind's memcheck names the place (`make test-memcheck`).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product

import torch
from allocator import acts
from torch import nn
from torchvision import models

from ownmark.models.memory_format import memory_format_of
from ownmark.models.mobilefacenet import MobileFaceNet
from ownmark.models.resnet import ResNet18
from ownmark.models.vgg import VGG11

LARGE = 64 * 64 * 9  # weights above which an image of half the size is enough
STRANGERS = (
    models.squeezenet1_0,
    models.squeezenet1_1,
    models.mobilenet_v2,
    models.mobilenet_v3_small,
    models.shufflenet_v2_x0_5,
    models.shufflenet_v2_x1_0,
    models.mnasnet0_5,
    models.mnasnet1_0,
    models.resnet18,
    models.efficientnet_b0,
)


@dataclass(frozen=True)
class Shape:
    """All that decides which of torch's kernels convolves."""

    channels: tuple[int, int]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] | str
    dilation: tuple[int, ...]
    groups: int
    bias: bool
    layout: torch.memory_format


def networks() -> Iterator[Callable[[], nn.Module]]:
    """The project's own at the widths of its tests, recipes and benchmarks, and small ones of torchvision's."""
    for width in (2, 4, 8, 12, 16, 24, 32, 64):
        for channels in (1, 3):
            yield partial(ResNet18, 10, width=width, channels=channels)
            yield partial(ResNet18, 10, width=width, channels=channels, stem="cifar")
            yield partial(MobileFaceNet, width=width, channels=channels)
        yield partial(VGG11, width=width)
    for stranger in STRANGERS:
        yield partial(stranger, num_classes=10)


def known() -> list[Shape]:
    """In an order that does not change; no network holds memory."""
    found: dict[Shape, None] = {}
    for make in networks():
        with torch.device("meta"):
            network = make()
        layout = memory_format_of(network)
        for one in network.modules():
            if isinstance(one, nn.Conv2d):
                channels, bias = (one.in_channels, one.out_channels), one.bias is not None
                shape = Shape(channels, one.kernel_size, one.stride, one.padding, one.dilation, one.groups, bias, layout)
                found[shape] = None
    return list(found)


def every() -> list[Shape]:
    """Plain, and with channels last where the rule allows that; depthwise too."""
    found: list[Shape] = []
    for width, kernel, stride in product(range(1, 65), (1, 3, 5, 7), (1, 2)):
        for groups in (1, width)[: 1 + (width > 1)]:
            with torch.device("meta"):
                fastest = memory_format_of(nn.Conv2d(width, width, kernel, stride, groups=groups))
            found.extend(
                Shape((width, width), (kernel, kernel), (stride, stride), (kernel // 2,) * 2, (1, 1), groups, False, layout)
                for layout in {torch.contiguous_format, fastest}
            )
    return found


def convolve(shape: Shape, batch: int, size: int) -> None:
    """Forward and backward; all that it took is given back, so that a checking allocator looks at it."""
    inputs, outputs = shape.channels
    layer = nn.Conv2d(inputs, outputs, shape.kernel, shape.stride, shape.padding, shape.dilation, shape.groups, shape.bias)  # type: ignore[arg-type]
    size = size if layer.weight.numel() <= LARGE else size // 2
    images = torch.rand(batch, inputs, max(size, *shape.kernel), max(size, *shape.kernel))
    images = images.to(memory_format=shape.layout).requires_grad_()
    layer.to(memory_format=shape.layout)(images).square().sum().backward()


def main(which: str, threads: str, *cases: str) -> None:
    kinds: dict[str, Callable[[], list[Shape]]] = {"known": known, "every": every}
    found = kinds[which]()
    for number, case in product(threads.split(","), cases):
        torch.set_num_threads(int(number))
        batch, size = map(int, case.split(":"))
        for shape in found:
            convolve(shape, batch, size)
    sys.stdout.write(f"{len(found)} convolutions {'checked' if acts() else 'unchecked'}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
