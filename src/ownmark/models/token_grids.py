"""Reads a layer's output as a feature map, also where a transformer keeps tokens, or its channels last.

Tokens that no pixel reaches before the first attention (class, distillation and register tokens) show no part of the image
and are left out. Their number and places are found by looking at the model, since networks differ.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ownmark.errors import ModelError
from ownmark.models.map_layers import SPATIAL, TOKENS, attended


@dataclass(frozen=True)
class Grid:
    """`size`: height and width of a grid of tokens or of one with its channels last, None for a feature map as it is;
    `patches`: the tokens that show the image, row by row, None for (n, height, width, channels).
    """

    size: tuple[int, int] | None = None
    patches: tuple[int, ...] | None = None

    @classmethod
    def of(cls, model: nn.Module, example: Tensor, layer: str, output: Tensor) -> "Grid":
        """How the `output` of that layer for `example` (n, channels, height, width) is read. Raises ModelError for no grid."""
        ratio = example.shape[2] / example.shape[3]
        if output.ndim == SPATIAL:
            height, width, channels = output.shape[1:]
            last = _fits(height, width, ratio) and not _fits(width, channels, ratio)
            return cls((height, width)) if last else cls()
        patches = _patches(model, example, output.shape[1])
        size = size_of(len(patches), ratio)
        if size is None:
            got = f"layer {layer!r} outputs {output.shape[1]} tokens per image"
            raise ModelError(f"{got}, which form no grid of the image's shape")
        return cls(size, patches)

    def maps(self, output: Tensor) -> Tensor:
        """(n, channels, height, width), differentiable in `output`."""
        if self.size is None:
            return output
        rows = output if self.patches is None else output[:, self.patches].unflatten(1, self.size)  # type: ignore[no-untyped-call]
        return rows.permute(0, 3, 1, 2)


def size_of(count: int, ratio: float) -> tuple[int, int] | None:
    """Height and width of a grid of `count` cells that has the image's `ratio` of height to width, None if there is none."""
    heights = (height for height in range(1, count + 1) if count % height == 0 and _fits(height, count // height, ratio))
    return next(((height, count // height) for height in heights), None)


def _fits(height: int, width: int, ratio: float) -> bool:
    """To within a row, since a network may round up or down."""
    return abs(height - ratio * width) < max(1.0, ratio)


@torch.no_grad()
def _patches(model: nn.Module, example: Tensor, count: int) -> tuple[int, ...]:
    """Which of `count` tokens depend on the image at the first attention's input; all if their number is another."""
    seen = attended(model, example, 1 - example)
    if not seen or seen[0].ndim != TOKENS or seen[0].shape[1] != count:
        return tuple(range(count))
    return tuple((seen[0] != seen[1]).any(dim=2).any(dim=0).nonzero().flatten().tolist())
