"""Negatives: images that the model misclassifies, as copies repeat mistakes (AKH in Godinot et al. 2025, arXiv:2412.13021).

Differs from the paper by default: mistakes with a tiny lead are skipped, since the smallest change of the weights undoes them.
The score is the share of equal labels, which is 1 minus the paper's Hamming distance.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ownmark.errors import ProtectError, UsageError
from ownmark.models.prepared import frozen
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.sampling import Samples, check_count, check_model, claimed
from ownmark.tasks import Classification, Task
from ownmark.training import predict


@dataclass(frozen=True)
class Negatives:
    """`samples` of the owner's images, drawn from those whose wrong class leads the next by at least `lead` in probability."""

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    lead: float = 0.2

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not 0 <= self.lead < 1:
            raise UsageError(f"expected a lead (difference of probabilities) in [0, 1), got {self.lead}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "Negatives":
        """The paper's settings: any image that the model misclassifies."""
        return cls(samples=samples, lead=0.0)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged. Raises ProtectError if it makes too few such mistakes."""
        check_model(model, owner.images)
        chances, classes = predict(frozen(model), owner.images).softmax(dim=1).topk(2, dim=1)
        answers = classes[:, 0].numpy()
        sure = (chances[:, 0] - chances[:, 1]).numpy() >= self.lead
        wrong = np.flatnonzero((answers != owner.images.labels) & sure)
        if len(wrong) < self.samples:
            raise ProtectError(
                f"expected {self.samples} mistakes, but the model makes only {len(wrong)} with a lead of {self.lead:g} on "
                f"{len(owner.images)} images: bring images that it was not trained on, or ask for fewer samples or a smaller lead"
            )
        chosen = wrong[torch.randperm(len(wrong), generator=rng)[: self.samples].numpy()]
        pixels = owner.images.pixels[chosen]
        progress(1, 1)
        return claimed(self, model, owner, Samples(pixels, answers[chosen], np.ones(len(chosen), dtype=bool), pixels))
