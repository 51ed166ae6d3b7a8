"""RetinaNet for small images on small machines (Lin et al. 2017, arXiv:1708.02002), with torchvision's heads, anchors and loss.

Differs from the paper: a residual backbone of four blocks, three levels of the pyramid, batch norm in the heads, and square
anchors of two sizes per level.
"""

from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.retinanet import RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork

ANCHORS = (0.065, 0.16, 0.3)  # per level, as shares of the image's side
LARGER = 1.4  # the second anchor of a level


def small_retina(num_classes: int = 2, width: int = 16, size: int = 160) -> RetinaNet:
    """For square images of `size` pixels with `num_classes`, the background among them; `width`: channels behind the stem."""
    backbone = Backbone(width)
    anchors = AnchorGenerator(tuple((share * size, share * size * LARGER) for share in ANCHORS), ((1.0,),) * len(ANCHORS))
    head = RetinaNetHead(backbone.out_channels, 2, num_classes, norm_layer=nn.BatchNorm2d)
    return RetinaNet(
        backbone,
        num_classes,
        anchor_generator=anchors,
        head=head,
        min_size=size,
        max_size=size,
        image_mean=[0.5] * 3,
        image_std=[0.25] * 3,
    )


class Backbone(nn.Module):
    """Maps of an eighth, a sixteenth and a thirty-second of the image's side, each with `out_channels`."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out_channels = 2 * width
        self.stem = _convolved(3, width, 2)
        self.blocks = nn.ModuleList(
            Block(before, after)
            for before, after in ((width, width), (width, 2 * width), (2 * width, 4 * width), (4 * width, 4 * width))
        )
        self.fpn = FeaturePyramidNetwork([2 * width, 4 * width, 4 * width], self.out_channels)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        maps = [self.stem(images)]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        levels: dict[str, Tensor] = self.fpn({str(place): level for place, level in enumerate(maps[2:])})
        return levels


class Block(nn.Module):
    """Two convolutions with a shortcut, at half the height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = _convolved(before, after, 2)
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after))
        self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = (self.second(self.first(maps)) + self.shortcut(maps)).relu()
        return out


def _convolved(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())
