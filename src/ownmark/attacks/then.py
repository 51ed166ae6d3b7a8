"""One attack after another, such as fine-tuning after rounding the weights."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Attack, Progress, silent


@dataclass(frozen=True)
class Then:
    """Apply `first`, then `second` to what came out; what the first made zero, the second may fill again."""

    first: Attack
    second: Attack

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """What `second` makes of what `first` makes of `stolen`; each is half of the progress."""
        between = self.first.apply(stolen, thief, rng, lambda done, total: progress(done, 2 * total))
        return self.second.apply(between, thief, rng, lambda done, total: progress(total + done, 2 * total))
