"""Distillation: a new model of the same architecture learns the stolen one's answers (Hinton et al. 2015, arXiv:1503.02531)."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data import Images
from ownmark.models.layers import reinitialise
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, predict, seeded


@dataclass(frozen=True)
class Distill:
    """Train a student from scratch on the stolen model's probabilities (Kullback-Leibler divergence, temperature 1).

    The thief needs no labels. Answers are asked for once, on the images as they are.
    """

    epochs: int = 16
    rate: float = 0.1

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A student of `stolen`."""
        answers = predict(stolen, thief).softmax(1)
        student = deepcopy(stolen).requires_grad_(True)
        with seeded(rng):
            reinitialise(student)
        return fit(student, thief, answers, _divergence, Training(epochs=self.epochs, rate=self.rate), rng, progress)


def _divergence(logits: Tensor, answers: Tensor) -> Tensor:
    return functional.kl_div(logits.log_softmax(1), answers, reduction="batchmean")
