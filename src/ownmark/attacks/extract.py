"""Extraction: a new model learns what the stolen one answers at its plainest (Orekondy et al. 2019, arXiv:1812.02766).

Differs from the paper: it asks about the thief's images in random order, without a policy that learns which to ask about,
and only the most likely label is answered; of a regressor the number in whole units, of an embedder the embedding's direction.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.models.layers import untaught
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, predict, seeded


@dataclass(frozen=True)
class Extract:
    """Ask about `queries` of the thief's images (None: all), once each, and train a student from scratch on the answers.

    The student has the stolen model's architecture or that of a name, see `models.named`. `flips`: whether images
    are mirrored at random while it learns.
    """

    queries: int | None = None
    epochs: int = 16
    rate: float = 0.1
    student: str = ""
    flips: bool = True

    def __post_init__(self) -> None:
        if self.queries is not None and self.queries < 1:
            raise UsageError(f"Extract needs a query or more, got {self.queries}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of `stolen`. Raises DataError where the thief has fewer images than it wants to ask about."""
        if (self.queries or 0) > len(thief):
            raise DataError(f"{self.queries} queries were asked for, but the thief has {len(thief)} images")
        asked = thief.take(torch.randperm(len(thief), generator=rng)[: self.queries].numpy())
        outputs = predict(stolen, asked)
        with seeded(rng):
            student = untaught(stolen, self.student, outputs.shape[1:].numel())
        training, task = Training(epochs=self.epochs, rate=self.rate, flips=self.flips), asked.task
        return fit(student, asked, task.plain(outputs), task.plain_loss, training, rng, progress)
