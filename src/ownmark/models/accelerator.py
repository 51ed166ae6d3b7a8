"""What a GPU does otherwise than a CPU: it may compute in narrow numbers, and keeps the images that it is asked for repeatedly.

With `OWNMARK_PRECISION=mixed` a GPU trains, and seeks saliency fingerprints, in bfloat16 where torch's autocast deems that safe
(Micikevicius et al. 2018, arXiv:1710.03740; the loss is not scaled, since bfloat16 has the range of float32). Weights, losses and
whatever decides anything stay in float32: whether a sample holds, and what a suspect answers. A CPU never computes in bfloat16:
which of its convolutions are safe then (`memory_format`) is not known.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from ownmark.data.images import Images, unit
from ownmark.errors import UsageError
from ownmark.models.memory import free_bytes

MIXED, FULL = "mixed", "full"
KEPT = 0.05  # share of a GPU's free memory that images may take: several processes may share it


def precision() -> str:
    """What `OWNMARK_PRECISION` says, `full` without it. Raises UsageError for another word."""
    said = os.environ.get("OWNMARK_PRECISION", FULL)
    if said not in {MIXED, FULL}:
        raise UsageError(f"OWNMARK_PRECISION must be {MIXED} or {FULL}; got {said!r}")
    return said


def is_narrow(device: torch.device) -> bool:
    """Whether models are trained on the device in other numbers than by default: they are kept apart from those that are not."""
    return device.type == "cuda" and precision() == MIXED


def narrowed(device: torch.device) -> AbstractContextManager[object]:
    """Inside, a GPU computes in bfloat16 where that is safe, if it was asked for."""
    return torch.autocast(device.type, torch.bfloat16) if is_narrow(device) else nullcontext()


def wide(outputs: Any) -> Any:  # noqa: ANN401 - of a detector they are several tensors
    """Narrow outputs in float32; all others as they are."""
    return outputs.float() if isinstance(outputs, Tensor) and outputs.dtype is torch.bfloat16 else outputs


def reader(images: Images, device: torch.device) -> Callable[[Tensor], Tensor]:
    """As `Images.batch` for that device; a GPU with room for all of the images keeps them, as 8-bit pixels."""
    if device.type != "cuda" or images.pixels.nbytes > KEPT * free_bytes(device):
        return lambda rows: images.batch(rows, device)
    kept = torch.from_numpy(images.pixels).to(device)
    return lambda rows: unit(kept[rows.to(device, non_blocking=True)])
