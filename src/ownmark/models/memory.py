"""How much memory a pass with gradients takes, and how much there is."""

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from ownmark.models.map_layers import traced

KEPT = 1.5  # tensors kept for the gradient per output of a module, at most: make bench-network-speed
VIEWS = 2  # of each image
UNKNOWN = 2**62  # bytes, where a system does not say


def bytes_per_image(model: nn.Module, example: Tensor) -> int:
    """What the activations of one image in both views take while its gradient is computed; `example` (1, channels, h, w)."""
    outputs = traced(model, example).outputs
    return max(1, int(VIEWS * KEPT * example.element_size() * sum(one.shape.numel() for one in outputs if one.leaf)))


def free_bytes(device: torch.device) -> int:
    """The memory that is free on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return _physical()


def _physical() -> int:
    """All of the machine's memory."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return UNKNOWN
