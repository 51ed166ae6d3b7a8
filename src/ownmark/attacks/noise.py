"""Noise on weights: every weight is moved a little at random, in proportion to how much its tensor's weights differ."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.copies import copied
from ownmark.protocols import Progress, silent


@dataclass(frozen=True)
class Noise:
    """Add normal noise of `scale` times each tensor's own standard deviation; a tensor of equal values stays as it is."""

    scale: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.scale < math.inf:
            raise UsageError(f"Noise needs a scale of 0 or more, got {self.scale}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with noise on its weights; no image is looked at."""
        model = copied(stolen).requires_grad_(True)
        for weight in model.parameters():
            drawn = torch.randn(weight.shape, generator=rng).to(weight)
            weight.add_(drawn, alpha=self.scale * float(weight.std(correction=0)))
        return model.eval()
