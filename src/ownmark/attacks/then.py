"""Applies two attacks in sequence, such as quantisation and fine-tuning."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Attack, Progress, silent


@dataclass(frozen=True)
class Then:
    """Applies `first`, then `second` to its result; `second` may make zeros from `first` nonzero again."""

    first: Attack
    second: Attack

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """`second` applied to the result of `first` on `stolen`; each is half of the progress."""
        between = self.first.apply(stolen, thief, rng, lambda done, total: progress(done, 2 * total))
        return self.second.apply(between, thief, rng, lambda done, total: progress(total + done, 2 * total))
