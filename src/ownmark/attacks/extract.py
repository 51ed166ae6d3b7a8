"""Extraction: trains a new model on the stolen model's coarsest answers (Orekondy et al. 2019, arXiv:1812.02766).

Differs from the paper: queries are the thief's images in random order, without a learnt query policy, and the answer is only
the top label; for a regressor the number in whole units, for an embedder the embedding's direction.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.student import student_of
from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, predict, seeded


@dataclass(frozen=True)
class Extract:
    """Queries `queries` of the thief's images (None: all) once each, and trains a student from scratch on the answers.

    The student has the stolen model's architecture, or one built from a name (`models.network`). `flips`: whether training
    mirrors images at random.
    """

    queries: int | None = None
    epochs: int = 16
    rate: float = 0.1
    student: str = ""
    flips: bool = True

    def __post_init__(self) -> None:
        if self.queries is not None and self.queries < 1:
            raise UsageError(f"Extract: expected at least one query, got {self.queries}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of `stolen`. Raises DataError if the thief has fewer images than `queries`."""
        if (self.queries or 0) > len(thief):
            raise DataError(f"expected {self.queries} images to query, but the thief has {len(thief)}")
        asked = thief.take(torch.randperm(len(thief), generator=rng)[: self.queries].numpy())
        outputs = predict(stolen, asked)
        with seeded(rng):
            student = student_of(stolen, self.student, asked, outputs)
        training, task = Training(epochs=self.epochs, rate=self.rate, flips=self.flips), asked.task
        return fit(student, asked, task.plain(outputs), task.plain_loss, training, rng, progress)
