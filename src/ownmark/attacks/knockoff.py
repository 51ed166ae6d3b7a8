"""Knockoff Nets: trains a new model on the stolen model's answers to foreign images (Orekondy et al. 2019, arXiv:1812.02766).

Differs from the paper: the queries are random (its strategy "random"), not chosen by a learnt policy, and the student starts
from random weights instead of ImageNet's. Foreign images in memory need no `Knockoff`: hand them to `Extract` or `Distill`,
neither of which uses labels.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images
from ownmark.method_strings import Choice
from ownmark.models.layers import untaught
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, predict, seeded


class Reply(Choice):
    """What the stolen model answers: SOFT, its probabilities, or HARD, only the label (see `Extract` for other tasks)."""

    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True)
class Knockoff:
    """Queries the stolen model once per `foreign` image, and trains a student from scratch on these images and the answers.

    Of the thief's own images only the size and the task are used. The student has the stolen model's architecture, or one built
    from a name (`models.network`). `flips`: whether training mirrors images at random.
    """

    foreign: Foreign = Foreign()
    reply: Reply = Reply.SOFT
    epochs: int = 16
    rate: float = 0.1
    student: str = ""
    flips: bool = True

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of `stolen`. Raises DataError for a place without images, or a thief without one."""
        check_unlocated(self, thief)
        asked = self.foreign.unlabelled(thief, rng)
        outputs, task = predict(stolen, asked), thief.task
        with seeded(rng):
            student = untaught(stolen, self.student, outputs.shape[1:].numel())
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        if self.reply is Reply.SOFT:
            return fit(student, asked, task.answers(outputs), task.divergence, training, rng, progress)
        return fit(student, asked, task.plain(outputs), task.plain_loss, training, rng, progress)
