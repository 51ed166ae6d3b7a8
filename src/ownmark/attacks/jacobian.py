"""Jacobian-based augmentation: a substitute learns from few images and from steps along its own gradient
(Papernot et al. 2017, arXiv:1602.02697, eq. 4 and algorithm 1).

Differs from the paper: the queries are 8-bit images, and the last set is trained on as well.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ownmark.attacks._common.student import student_of
from ownmark.data.images import Images, to_pixels
from ownmark.errors import UsageError
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, in_eval_mode, part, predict, seeded, steps_of


@dataclass(frozen=True)
class Jacobian:
    """Trains a substitute on the stolen model's coarsest answers, and doubles its images `rounds` times.

    It begins with `first` of the thief's images (fewer if there are fewer), which need no labels. Each round adds every image
    once more, moved by `step` (of a pixel range of 1) in the direction in which the substitute's output for the stolen model's
    answer rises: `first` times 2 to the power of `rounds` queries in total. Every set is trained on for `epochs`. The substitute
    has the stolen model's architecture, or one built from a name (`models.network`); `flips`: whether training mirrors images.
    """

    first: int = 150
    rounds: int = 4  # rho in the paper
    step: float = 0.1  # lambda in the paper
    epochs: int = 10
    rate: float = 0.05
    student: str = ""
    flips: bool = True

    def __post_init__(self) -> None:
        if self.first < 1 or self.rounds < 0 or not self.step > 0:
            raise UsageError(f"Jacobian: expected at least one image, no negative rounds and a step above 0, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A substitute of `stolen`."""
        asked = replace(thief, people=None).take(torch.randperm(len(thief), generator=rng)[: self.first].numpy())
        answers, task = predict(stolen, asked), thief.task
        with seeded(rng):
            student = student_of(stolen, self.student, asked, answers)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        counts = [steps_of(training, len(asked) * 2**done) for done in range(self.rounds + 1)]
        for done in range(self.rounds + 1):
            if done:
                more = replace(asked, pixels=self.moved(student, asked, task.plain(answers)))
                asked, answers = _joined(asked, more), torch.cat([answers, predict(stolen, more)])
            told = part(progress, sum(counts[:done]), sum(counts))
            fit(student, asked, task.plain(answers), task.plain_loss, training, rng, told)
        return student.eval()

    def moved(self, student: nn.Module, asked: Images, answers: Tensor) -> np.ndarray:
        """(n, height, width, channels) uint8: the images, each moved along the sign of the substitute's gradient."""
        device = next(student.parameters()).device
        target = (answers.unsqueeze(1) if asked.task.compares else answers).to(device)
        found = []
        with in_eval_mode(student):
            for rows in torch.arange(len(asked)).split(256):  # type: ignore[no-untyped-call]
                images = asked.batch(rows, device).requires_grad_(True)
                rises = asked.task.scalar(student(images), target[rows])
                (slope,) = torch.autograd.grad(rises.sum(), images)
                found.append(to_pixels((images.detach() + self.step * slope.sign()).clamp(0, 1)))
        return np.concatenate(found)


def _joined(first: Images, second: Images) -> Images:
    pixels, labels = (np.concatenate([getattr(one, name) for one in (first, second)]) for name in ("pixels", "labels"))
    return replace(first, pixels=pixels, labels=labels)
