"""Distillation from two teachers: the stolen model and an independent one (Hinton et al. 2015, arXiv:1503.02531, section 5)."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.independent import Independent
from ownmark.attacks._common.student import student_of
from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, part, predict, seeded, steps_of


@dataclass(frozen=True)
class DistillEnsemble:
    """Trains a student from scratch on the mean of the answers of the stolen model and of `other`, whose weight is `share`.

    The answers are probabilities (temperature 1), numbers, or embedding directions, by the task of the thief's images. The
    student has the stolen model's architecture, or one built from a name (`models.network`). `flips`: whether training mirrors
    images at random.
    """

    other: Independent = Independent()
    share: float = 0.5
    epochs: int = 16
    rate: float = 0.1
    student: str = ""
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise UsageError(f"DistillEnsemble: expected a share between 0 and 1, got {self.share}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of both."""
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        before, task = self.other.steps(thief), thief.task
        total = before + steps_of(training, len(thief))
        other = self.other.model(stolen, thief, rng, part(progress, 0, total))
        outputs = predict(stolen, thief)
        answers = torch.lerp(task.answers(outputs), task.answers(predict(other, thief)), self.share)
        with seeded(rng):
            student = student_of(stolen, self.student, thief, outputs)
        return fit(student, thief, answers, task.divergence, training, rng, part(progress, before, total))
