"""Values on evenly spaced grids of a few bits, as quantised models store them."""

import torch
from torch import Tensor

TINY = 1e-12  # the smallest step, for all-zero channels


def on_grid(weight: Tensor, bits: int) -> Tensor:
    """Rounds each row to multiples of a step; the row's largest weight is 2^(bits - 1) - 1 steps."""
    most = 2 ** (bits - 1) - 1
    step: Tensor = (weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / most).clamp_min(TINY)
    return torch.round(weight / step) * step


def in_range(values: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """Rounds to 2^bits evenly spaced values from `low` <= 0 to `high` >= 0, and cuts what lies beyond; zero stays zero."""
    step: Tensor = ((high - low) / (2**bits - 1)).clamp_min(TINY)
    first = torch.round(low / step)
    return torch.clamp(torch.round(values / step), first, first + 2**bits - 1) * step
