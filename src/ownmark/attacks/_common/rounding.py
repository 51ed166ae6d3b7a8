"""Rounding of weights to a grid per output channel, as quantised models store them."""

import torch
from torch import Tensor

MOST_BITS = 16
TINY = 1e-12  # the smallest step, for all-zero channels


def on_grid(weight: Tensor, bits: int) -> Tensor:
    """Rounds each row to multiples of a step; the row's largest weight is 2^(bits - 1) - 1 steps."""
    most = 2 ** (bits - 1) - 1
    step: Tensor = (weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / most).clamp_min(TINY)
    return torch.round(weight / step) * step
