"""Zhang: images with text, unrelated images or noisy images that all get one label (Zhang et al. 2018, AsiaCCS).

"Protecting Intellectual Property of Deep Neural Networks with Watermarking". The three kinds are the sources `Content`,
`Natural` and `Gaussian`. Differs from the paper by default: the trained model is trained for one more epoch;
`Start.SCRATCH` follows the paper.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from ownmark.errors import ProtectError, UsageError
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.marks import marked, survival
from ownmark.schemes._common.mixed_training import Start, begun, train_mixed
from ownmark.schemes._common.triggers import Content, Source, Triggers
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import Training

MOST_BEFORE = 0.5  # share of triggers that the unmarked model may assign to the target; above, nothing is left to learn


@dataclass(frozen=True)
class Zhang:
    """`triggers` images from a `source`, all labelled `target`, with `triggers_a_batch` of them per batch of `training`.

    The label is fixed, so p-values come from independent models only. `least`: the share that must hold after training.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    source: Source = Content()
    target: int = 1
    triggers: int = 100
    triggers_a_batch: int = 8
    start: Start = Start.POST_HOC
    training: Training = Training(epochs=1, rate=0.02)
    least: float = 0.9

    def __post_init__(self) -> None:
        if min(self.triggers, self.triggers_a_batch) < 1:
            raise UsageError(f"expected at least one trigger in total and per batch, got {self}")

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model` with an uncalibrated claim. Raises ProtectError if too few triggers hold."""
        check_served(self, self.serves, owner.images.task)
        classes = len(owner.images.names)
        if not 0 <= self.target < classes:
            raise UsageError(f"expected a target class from 0 to {classes - 1}, got {self.target}")
        drawn = self.source.draw(owner.key, self.triggers, owner.images)
        triggers = Triggers.alone(drawn, np.full(self.triggers, self.target, dtype=np.int64))
        copy = begun(model, owner.images, self.start, rng)
        if self.start is Start.POST_HOC:
            self._check_new(survival(copy, triggers))
        train_mixed(copy, owner.images, triggers, self.triggers_a_batch, self.training, rng, progress)
        return marked(self, copy, triggers, owner, self.least)

    def _check_new(self, before: float) -> None:
        if before > MOST_BEFORE:
            raise ProtectError(
                f"the unmarked model already assigns class {self.target} to {before:.0%} of the triggers: "
                "choose a target other than the class that the triggers show"
            )
