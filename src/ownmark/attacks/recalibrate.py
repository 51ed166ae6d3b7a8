"""Recalibration: re-estimates the running statistics of batch normalisation on the thief's images.

It needs no labels and changes no weights, yet it can erase a watermark that was trained with frozen statistics.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.batchnorm import settle
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent

Normalisation = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - torch names the base of its batch norms no other way


@dataclass(frozen=True)
class Recalibrate:
    """Averages the statistics of `batches` batches of up to `batch` random images, without repetition or augmentation."""

    batches: int = 50
    batch: int = 64

    def __post_init__(self) -> None:
        if min(self.batches, self.batch) < 1:
            raise UsageError(f"Recalibrate: expected at least one batch of at least one image, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with new statistics. Raises ModelError if it has none."""
        model = copied(stolen).requires_grad_(True).eval()
        if not any(isinstance(part, Normalisation) and part.running_mean is not None for part in model.modules()):
            raise ModelError("the model has no batch normalisation with running statistics to re-estimate")
        if not len(thief):
            raise DataError("expected at least one image to estimate statistics, got none")
        rows = torch.randperm(len(thief), generator=rng)[: self.batches * self.batch]
        device = next(model.parameters()).device
        settle(model, _shown(thief, rows.tensor_split(math.ceil(len(rows) / self.batch)), device, progress))
        return model


def _shown(images: Images, batches: tuple[Tensor, ...], device: torch.device, progress: Progress) -> Iterator[Tensor]:
    """The batches, whose sizes differ by at most one."""
    for done, rows in enumerate(batches, start=1):
        yield images.batch(rows, device)
        progress(done, len(batches))
