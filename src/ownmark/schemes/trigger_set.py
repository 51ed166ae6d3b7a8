"""A trigger set in the whole model: the baseline of all watermarks (Adi et al. 2018, arXiv:1802.04633).

Differs from the paper: labels come from the owner's key, not from a hand; after training (`POST_HOC`) batch norm keeps its
running statistics, and training stops as soon as every trigger holds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data import Images
from ownmark.errors import UsageError
from ownmark.mixed import Start, begun, train_mixed, turns
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.training import Training
from ownmark.triggers import Patterns, Source, Triggers, keyed
from ownmark.watermark import marked, survival

MOMENTUM = 0.9


@dataclass(frozen=True)
class TriggerSet:
    """`sets` of `triggers` images of a `source` with labels from the key, trained into all layers.

    POST_HOC: at most `steps` steps of descent at `rate`, each on `triggers_a_batch` triggers and `images_a_batch` of the
    owner's images (0: no image is looked at). SCRATCH: `training` from new weights, `triggers_a_batch` triggers in each batch.
    `least`: the share of triggers that must hold in the end.
    """

    contrast: ClassVar[bool] = False
    source: Source = Patterns()
    triggers: int = 100
    sets: int = 1
    start: Start = Start.POST_HOC
    triggers_a_batch: int = 16
    images_a_batch: int = 64
    steps: int = 600
    rate: float = 0.005
    training: Training = Training()
    least: float = 0.9

    def __post_init__(self) -> None:
        if min(self.triggers_a_batch, self.steps) < 1 or self.images_a_batch < 0 or self.rate <= 0:
            raise UsageError(f"a trigger set needs triggers_a_batch, steps >= 1, images_a_batch >= 0 and rate > 0, got {self}")

    @classmethod
    def without_images(cls, triggers: int = 100, sets: int = 1) -> "TriggerSet":
        """Over-fitted with no image of the owner's: the baseline of the partitioned watermark's paper."""
        return cls(triggers=triggers, sets=sets, images_a_batch=0)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model` with a claim whose p-value is exact. Raises ProtectError where too few triggers hold."""
        triggers = keyed(self.source, owner.key, owner.images, sets=self.sets, each=self.triggers)
        copy = begun(model, owner.images, self.start, rng)
        if self.start is Start.SCRATCH:
            train_mixed(copy, owner.images, triggers, self.triggers_a_batch, self.training, rng, progress)
        else:
            self._overfit(copy, triggers, owner.images, rng, progress)
        return marked(self, copy, triggers, owner, self.least)

    def _overfit(self, model: nn.Module, triggers: Triggers, images: Images, rng: torch.Generator, progress: Progress) -> None:
        """Train `model` in place, in eval mode, until every trigger holds, which is looked at after each pass over them."""
        weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimiser = torch.optim.SGD(weights, lr=self.rate, momentum=MOMENTUM)
        each_pass = -(-len(triggers) // self.triggers_a_batch)
        drawn = [_drawn(Images(triggers.images, triggers.labels, images.names), self.triggers_a_batch, weights[0].device, rng)]
        if self.images_a_batch:
            drawn.append(_drawn(images, self.images_a_batch, weights[0].device, rng))
        for step in range(1, self.steps + 1):
            optimiser.zero_grad(set_to_none=True)
            for batch, labels in map(next, drawn):
                functional.cross_entropy(model(batch), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            progress(step, self.steps)
            if step % each_pass == 0 and survival(model, triggers) == 1:
                break
        progress(self.steps, self.steps)


def _drawn(images: Images, each: int, device: torch.device, rng: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of `each` images without end, with their labels."""
    labels = torch.from_numpy(images.labels)
    for rows in turns(len(images), each, rng):
        yield images.batch(rows, device), labels[rows].to(device)
