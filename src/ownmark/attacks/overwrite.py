"""Overwriting: the thief embeds a mark of its own, over the owner's or to claim the model too."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.copies import copied
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Progress, Scheme, silent


@dataclass(frozen=True)
class Overwrite:
    """Protect the stolen model by a watermark's `scheme`, as its owner would, with the thief's images and nothing else."""

    scheme: Scheme

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with the thief's mark. Raises UsageError for a fingerprint, which leaves a model as it is."""
        model = self.scheme.protect(stolen, Owner(thief), rng, progress).model
        if weights_digest(model) == weights_digest(stolen):
            raise UsageError(
                f"{self.scheme} leaves the model as it was: to overwrite a mark, name a watermark, not a fingerprint"
            )
        return copied(model).requires_grad_(True).eval()
