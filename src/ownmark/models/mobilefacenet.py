"""MobileFaceNet of any width: face embeddings for small machines (Chen et al. 2018, arXiv:1804.07573, table 1)."""

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor, nn

from ownmark.errors import ModelError

HALVINGS = 4  # the map before the global depthwise convolution is 1/16 of the image


@dataclass(frozen=True)
class Bottlenecks:
    """A row of table 1: `count` inverted residual blocks (n), the first with `stride` (s)."""

    expansion: int  # t in the paper
    channels: int  # c, at the paper's width of 64
    count: int
    stride: int


TABLE = (
    Bottlenecks(2, 64, 5, 2),
    Bottlenecks(4, 128, 1, 2),
    Bottlenecks(2, 128, 6, 1),
    Bottlenecks(4, 128, 1, 2),
    Bottlenecks(2, 128, 2, 1),
)


class MobileFaceNet(nn.Module):
    """Embeddings (n, `embedding`) of images (n, channels, `size`, `size`) in [0, 1]; the paper's are 128 of 3x112x112.

    `width`: channels of the first stage, 64 in the paper; all other widths except the embedding's scale with it.
    """

    def __init__(self, *, width: int = 64, embedding: int = 128, size: int = 112, channels: int = 3) -> None:
        super().__init__()
        if min(width, embedding, channels) < 1 or size < 2**HALVINGS:
            sizes = f"width={width}, embedding={embedding}, size={size}, channels={channels}"
            raise ModelError(
                f"MobileFaceNet: expected sizes of at least 1 and images of {2**HALVINGS} pixels or more, got {sizes}"
            )
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv=_convolution(channels, width, 3, stride=2),
            depthwise=_convolution(width, width, 3, groups=width),
        )
        inputs = width
        for number, line in enumerate(TABLE):
            outputs = line.channels * width // 64
            layers[f"stage{number}"] = _stage(inputs, outputs, line)
            inputs = outputs
        layers["wide"] = _convolution(inputs, 8 * width, 1)
        self.features = nn.Sequential(layers)
        self.pool = _linear(8 * width, 8 * width, -(-size // 2**HALVINGS), groups=8 * width)
        self.embed = _linear(8 * width, embedding, 1)

    def forward(self, images: Tensor) -> Tensor:
        embeddings: Tensor = self.embed(self.pool(self.features((images - 0.5) / 0.5)))
        return embeddings.flatten(1)


class Bottleneck(nn.Module):
    """Inverted residual: expand, convolve depthwise, project linearly; adds its input where shapes agree (MobileNetV2)."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        inside = inputs * expansion
        self.layers = nn.Sequential(
            _convolution(inputs, inside, 1),
            _convolution(inside, inside, 3, stride=stride, groups=inside),
            _linear(inside, outputs, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.layers(features)
        return features + found if self.residual else found


def _stage(inputs: int, outputs: int, line: Bottlenecks) -> nn.Sequential:
    first = Bottleneck(inputs, outputs, line.expansion, line.stride)
    return nn.Sequential(first, *(Bottleneck(outputs, outputs, line.expansion, 1) for _ in range(line.count - 1)))


def _convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm, PReLU."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.PReLU(outputs))


def _linear(inputs: int, outputs: int, size: int, *, groups: int = 1) -> nn.Sequential:
    """Convolution without padding, and batch norm, without an activation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, size, groups=groups, bias=False), nn.BatchNorm2d(outputs))
