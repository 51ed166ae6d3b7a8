"""Recalibration: the running statistics of batch normalisation are estimated anew on the thief's images.

No label is needed and no weight is touched, and yet it can wipe out a watermark that was trained in on frozen statistics.
"""

import math
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.protocols import Progress, silent

Normalisation = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - torch names the base of its batch norms no other way


@dataclass(frozen=True)
class Recalibrate:
    """Average the statistics of `batches` batches of up to `batch` images, drawn at random, no image twice, as they are."""

    batches: int = 50
    batch: int = 64

    def __post_init__(self) -> None:
        if min(self.batches, self.batch) < 1:
            raise UsageError(f"Recalibrate needs a batch or more of an image or more, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with other statistics. Raises ModelError where it keeps none."""
        model = deepcopy(stolen).requires_grad_(True).eval()
        norms = [part for part in model.modules() if isinstance(part, Normalisation) and part.running_mean is not None]
        if not norms:
            raise ModelError("the model has no batch normalisation that keeps statistics, so that none can be estimated anew")
        if not len(thief):
            raise DataError("statistics need one image or more, got none")
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's word for the plain average of all batches
            norm.train()
        rows = torch.randperm(len(thief), generator=rng)[: self.batches * self.batch]
        _run(model, thief, rows.tensor_split(math.ceil(len(rows) / self.batch)), progress)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        return model.eval()


@torch.no_grad()
def _run(model: nn.Module, images: Images, batches: tuple[torch.Tensor, ...], progress: Progress) -> None:
    """Show the model the batches, as many images in each as in the others, give or take one."""
    device = next(model.parameters()).device
    for done, rows in enumerate(batches, start=1):
        model(images.batch(rows, device))
        progress(done, len(batches))
