"""Overwriting: the thief embeds their own mark, to overwrite the owner's or to claim the model."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.prepared import copied
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Progress, Scheme, silent


@dataclass(frozen=True)
class Overwrite:
    """Watermarks the stolen model with `scheme`, as an owner would, using only the thief's images."""

    scheme: Scheme

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with the thief's mark. Raises UsageError for a fingerprint, which does not change a model."""
        model = self.scheme.protect(stolen, Owner(thief), rng, progress).model
        if weights_digest(model) == weights_digest(stolen):
            raise UsageError(f"{self.scheme} does not change the model: to overwrite a mark, name a watermark, not a fingerprint")
        return copied(model).requires_grad_(True).eval()
