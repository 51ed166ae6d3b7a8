"""Static quantisation: weights and layer inputs lie on grids that are fixed beforehand (Jacob et al. 2018, arXiv:1712.05877,
section 3; Nagel et al. 2021, arXiv:2106.08295, section 3.2, "min-max").

Differs from the paper: normalisation is not folded into the layers, and sums and outputs are not rounded.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.attacks._common.rounding import MOST_BITS, TINY, on_grid
from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.models.layers import check_own_weights
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import predict


@dataclass(frozen=True)
class QuantizeStatic:
    """Rounds weights of linear and convolutional layers to `bits`, and their inputs to `activations` bits on one grid per layer.

    The range of a layer's grid is what `images` of the thief's images, evenly chosen, reach at that layer; what lies outside
    saturates. Weights remain floating-point numbers on their grid, one per output channel, so that the model can be saved,
    queried and trained like any other; a weights file does not store the rounding of inputs, which `running` adds again.
    """

    bits: int = 8
    activations: int = 8
    images: int = 256

    def __post_init__(self) -> None:
        if not (2 <= self.bits <= MOST_BITS and 2 <= self.activations <= MOST_BITS and self.images > 0):  # noqa: PLR2004 - a sign and a bit
            raise UsageError(f"QuantizeStatic: expected bits from 2 to {MOST_BITS} and at least one image, got {self}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with rounded weights and inputs."""
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True).eval()
        for layer in _layers(model):
            layer.weight.copy_(on_grid(layer.weight, self.bits))
        return self.running(model, thief)

    def running(self, model: nn.Module, thief: Images) -> nn.Module:
        """The model with rounded weights as it runs: its layers' inputs are rounded, in place."""
        if not len(thief):
            raise DataError("expected at least one image to find the ranges of activations, got none")
        few = thief.take(np.linspace(0, len(thief) - 1, min(self.images, len(thief))).round().astype(int))
        ranges = {layer: Range() for layer in _layers(model)}
        with ExitStack() as hooks:
            for layer, found in ranges.items():
                hooks.callback(layer.register_forward_pre_hook(found.widen).remove)
            predict(model, few)
        for layer, found in ranges.items():
            layer.register_forward_pre_hook(RoundWithin(found.low, found.high, self.activations))
        return model


@dataclass
class Range:
    """The least and largest value of a layer's inputs so far, and zero."""

    low: float = 0.0
    high: float = 0.0

    def widen(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A forward pre-hook."""
        self.low, self.high = min(self.low, float(inputs[0].min())), max(self.high, float(inputs[0].max()))


@dataclass(frozen=True)
class RoundWithin:
    """A forward pre-hook that rounds inputs to 2^`bits` evenly spaced values from `low` to `high`; zero stays zero.

    Gradients pass straight through.
    """

    low: float
    high: float
    bits: int

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = inputs[0]
        step = max((self.high - self.low) / (2**self.bits - 1), TINY)
        first = round(self.low / step)
        rounded = (values.detach() / step).round().clamp(first, first + 2**self.bits - 1) * step
        return (values + (rounded - values.detach()), *inputs[1:])


def _layers(model: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    return [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
