"""Distillation: trains a new model on the stolen model's outputs (Hinton et al. 2015, arXiv:1503.02531)."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.student import student_of
from ownmark.data.images import Images
from ownmark.method_strings import Choice
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, predict, seeded


class Likeness(Choice):
    """Loss between two outputs: KL, the Kullback-Leibler divergence, or MSE, the squared distance of the probabilities.

    For numbers and embeddings both are the squared distance, the divergence of two normal distributions of equal width.
    """

    KL = "kl"
    MSE = "mse"


@dataclass(frozen=True)
class Distill:
    """Trains a student from scratch on the stolen model's outputs by minimising `likeness`.

    The outputs are probabilities (temperature 1), numbers, or embedding directions, by the task of the thief's images, which
    need no labels. The stolen model is queried once per image, without augmentation. The student has the stolen model's
    architecture, or one built from a name (`models.network`). `flips`: whether training mirrors images at random.
    """

    epochs: int = 16
    rate: float = 0.1
    batch: int = 64
    likeness: Likeness = Likeness.KL
    student: str = ""
    flips: bool = True

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of `stolen`."""
        outputs = predict(stolen, thief)
        with seeded(rng):
            student = student_of(stolen, self.student, thief, outputs)
        training = Training(epochs=self.epochs, batch=self.batch, rate=self.rate, flips=self.flips)
        loss = thief.task.divergence if self.likeness is Likeness.KL else thief.task.distance
        return fit(student, thief, thief.task.answers(outputs), loss, training, rng, progress)
