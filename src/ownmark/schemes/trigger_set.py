"""Trigger set: trains images with keyed labels into the whole model, the baseline watermark (Adi et al. 2018, arXiv:1802.04633).

Differs from the paper: labels come from the owner's key instead of manual choice. `TriggerSet.without_images()` is the
over-fitting baseline of the partitioned watermark's paper: batch norm keeps its running statistics, and gradients are clipped.
"""

from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.plain_sgd import PlainSGD
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.marks import marked, survival
from ownmark.schemes._common.mixed_training import Start, begun, train_mixed, turns
from ownmark.schemes._common.triggers import Patterns, Source, Triggers, keyed
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import Training

MOMENTUM = 0.9
STEEPEST = 2.0  # norm to which gradients are clipped: at first they are huge, as batch-norm statistics do not cover triggers


@dataclass(frozen=True)
class TriggerSet:
    """`sets` of `triggers` images from a `source` with labels from the key, trained into all layers.

    Each batch of `training` on the owner's images includes `triggers_a_batch` of them. With `steps` > 0 the owner's images are
    not used: the trained model takes at most that many steps at `rate` on triggers alone, until every trigger holds. `least`:
    the share of triggers that must hold after training.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    source: Source = Patterns()
    triggers: int = 100
    sets: int = 1
    start: Start = Start.POST_HOC
    triggers_a_batch: int = 16
    training: Training = Training(epochs=1, rate=0.02)
    steps: int = 0
    rate: float = 0.01
    least: float = 0.9

    def __post_init__(self) -> None:
        if self.triggers_a_batch < 1 or self.steps < 0 or self.rate <= 0:
            raise UsageError(f"expected triggers_a_batch >= 1, steps >= 0 and rate > 0, got {self}")
        if self.steps and self.start is Start.SCRATCH:
            raise UsageError("steps on triggers alone need a trained model: choose Start.POST_HOC or steps=0")

    @classmethod
    def without_images(cls, triggers: int = 100, sets: int = 1) -> "TriggerSet":
        """Over-fitted on triggers without the owner's images: the baseline of the partitioned watermark's paper."""
        return cls(triggers=triggers, sets=sets, steps=600)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model` with a claim whose p-value is exact. Raises ProtectError if too few triggers hold."""
        check_served(self, self.serves, owner.images.task)
        triggers = keyed(self, owner, model)
        copy = begun(model, owner.images, self.start, rng)
        if self.steps:
            self._overfit(copy, triggers, owner.images, rng, progress)
        else:
            train_mixed(copy, owner.images, triggers, self.triggers_a_batch, self.training, rng, progress)
        return marked(self, copy, triggers, owner, self.least)

    def _overfit(self, model: nn.Module, triggers: Triggers, images: Images, rng: torch.Generator, progress: Progress) -> None:
        """Trains `model` in place, in eval mode, until every trigger holds, checked after each pass over them."""
        weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
        optimiser = PlainSGD(weights, lr=self.rate, momentum=MOMENTUM)
        each_pass = -(-len(triggers) // self.triggers_a_batch)
        held, labels = Images(triggers.images, triggers.labels, images.names), torch.from_numpy(triggers.labels)
        for step, rows in enumerate(islice(turns(len(held), self.triggers_a_batch, rng), self.steps), start=1):
            batch = held.batch(rows, weights[0].device)
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(model(batch), labels[rows].to(batch.device)).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(weights, STEEPEST)
            optimiser.step()
            progress(step, self.steps)
            if step % each_pass == 0 and survival(model, triggers) == 1:
                break
        progress(self.steps, self.steps)
