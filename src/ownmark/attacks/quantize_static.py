"""Static quantisation, as converters for phones do it: ranges fixed beforehand (Jacob et al. 2018, arXiv:1712.05877)."""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.copies import copied
from ownmark.models.grids import in_range, on_grid
from ownmark.models.layers import check_own_weights
from ownmark.protocols import Progress, silent
from ownmark.training import predict

MOST_BITS = 16


@dataclass(frozen=True)
class QuantizeStatic:
    """Rounds the weights of linear and convolutional layers to `bits`, and their inputs to as many as `activations` says.

    Weights have one symmetric grid per output channel. The inputs of a layer have one grid for all images, over the range of
    what it gets from `images` of the thief's images, drawn at random; whatever lies beyond is cut, the network's own input
    included. Differs from converters: batch normalisations are not folded into convolutions, and biases and sums stay exact. A
    weights file does not store the rounding of inputs.
    """

    bits: int = 8
    activations: int = 8
    images: int = 100

    def __post_init__(self) -> None:
        if not all(2 <= bits <= MOST_BITS for bits in (self.bits, self.activations)) or self.images < 1:  # noqa: PLR2004 - a sign, a bit
            raise UsageError(f"expected bits and activations from 2 to {MOST_BITS} and at least one image, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with rounded weights and inputs."""
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True).eval()
        layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
        ranges = [Range() for _ in layers]
        hooks = [layer.register_forward_pre_hook(one) for layer, one in zip(layers, ranges, strict=True)]
        predict(model, thief.take(torch.randperm(len(thief), generator=rng)[: self.images].numpy()))
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for layer, one in zip(layers, ranges, strict=True):
                layer.weight.copy_(on_grid(layer.weight, self.bits))
                layer.register_forward_pre_hook(CutInput(one.low, one.high, self.activations))
        return model.eval()


@dataclass(eq=False)
class Range:
    """A forward pre-hook that remembers the least and the greatest value of all inputs; zero always lies between."""

    low: float = field(default=0.0)
    high: float = field(default=0.0)

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.low, self.high = min(self.low, float(inputs[0].min())), max(self.high, float(inputs[0].max()))


@dataclass(frozen=True)
class CutInput:
    """A forward pre-hook that rounds inputs to `bits` bits from `low` to `high`, with straight-through gradients."""

    low: float
    high: float
    bits: int

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = inputs[0]
        low, high = (torch.tensor(one, dtype=values.dtype, device=values.device) for one in (self.low, self.high))
        return (values + (in_range(values.detach(), low, high, self.bits) - values.detach()), *inputs[1:])
