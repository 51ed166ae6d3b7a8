"""Weight averaging with an independent model of the same architecture (Wortsman et al. 2022, arXiv:2203.05482).

Differs from the paper: its models share their pretraining, so that their mean is a good model. Here `other` does not, so the
statistics of batch normalisation are estimated anew and the mean is fine-tuned.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.independent import Independent
from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.models.batchnorm import settle
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, part, steps_of, train

BATCH = 64  # images per estimate of the statistics


@dataclass(frozen=True)
class Average:
    """Moves every weight by `share` of the way to those of `other`, then trains all layers for `epochs` on the thief's images.

    `rate`: peak of a one-cycle learning rate; `flips`: whether images are
    mirrored at random.
    """

    other: Independent = Independent()
    share: float = 0.2
    epochs: int = 5
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UsageError(f"Average: expected a share between 0 and 1, got {self.share}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A fine-tuned mean of `stolen` and the other model."""
        if not len(thief):
            raise DataError("expected at least one image to estimate statistics, got none")
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        before = self.other.steps(thief)
        total = before + steps_of(training, len(thief))
        other = self.other.model(stolen, thief, rng, part(progress, 0, total)).state_dict()
        model = copied(stolen).requires_grad_(True)
        with torch.no_grad():
            for name, tensor in model.state_dict().items():
                if tensor.is_floating_point():
                    tensor.lerp_(other[name].to(tensor), self.share)
        device = next(model.parameters()).device
        parts = torch.randperm(len(thief), generator=rng).tensor_split(math.ceil(len(thief) / BATCH))
        settle(model.eval(), (thief.batch(rows, device) for rows in parts))
        return train(model, thief, training, rng, part(progress, before, total)) if self.epochs else model.eval()
