"""Weight noise: perturbs every weight at random, in proportion to its tensor's standard deviation."""

import math
from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent


@dataclass(frozen=True)
class Noise:
    """Adds normal noise of `scale` times each tensor's standard deviation; constant tensors are unchanged."""

    scale: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.scale < math.inf:
            raise UsageError(f"Noise: expected a scale of at least 0, got {self.scale}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with noise on its weights; images are not used."""
        model = copied(stolen).requires_grad_(True)
        for weight in model.parameters():
            drawn = torch.randn(weight.shape, generator=rng).to(weight)
            weight.add_(drawn, alpha=self.scale * float(weight.std(correction=0)))
        return model.eval()
