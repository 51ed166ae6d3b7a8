"""Quantisation: rounds weights, and optionally layer inputs, to a few bits (Jacob et al. 2018, arXiv:1712.05877)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.copies import copied
from ownmark.models.grids import in_range, on_grid
from ownmark.models.layers import check_own_weights
from ownmark.protocols import Progress, silent

MOST_BITS = 16


@dataclass(frozen=True)
class Quantize:
    """Rounds the weights of linear and convolutional layers to `bits`, with one symmetric grid per output channel.

    With `activations` > 0, the inputs of these layers are rounded to that many bits, with one grid per image over its own range
    ("dynamic"). Weights remain floating-point numbers on their grid, so that the model can be saved, queried and trained like
    any other; a weights file does not store the rounding of activations.
    """

    bits: int = 8
    activations: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= MOST_BITS or not 0 <= self.activations <= MOST_BITS:  # noqa: PLR2004 - a sign and a bit
            raise UsageError(f"Quantize: expected bits from 2 to {MOST_BITS} and activations from 0 to {MOST_BITS}, got {self}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with rounded weights; images are not used."""
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True)
        for layer in model.modules():
            if isinstance(layer, nn.Linear | nn.Conv2d):
                layer.weight.copy_(on_grid(layer.weight, self.bits))
                if self.activations:
                    layer.register_forward_pre_hook(RoundInput(self.activations))
        return model.eval()


@dataclass(frozen=True)
class RoundInput:
    """A forward pre-hook that rounds inputs to `bits` bits over each image's own range, with straight-through gradients."""

    bits: int

    def __call__(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        values = inputs[0]
        return (values + (_in_range(values.detach(), self.bits) - values.detach()), *inputs[1:])


def _in_range(values: Tensor, bits: int) -> Tensor:
    """Rounds each row to 2^bits evenly spaced values between its minimum and maximum; zero stays zero."""
    others = tuple(range(1, values.ndim))
    low, high = values.amin(others, keepdim=True).clamp_max(0), values.amax(others, keepdim=True).clamp_min(0)
    return in_range(values, low, high, bits)
