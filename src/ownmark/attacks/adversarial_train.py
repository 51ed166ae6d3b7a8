"""Adversarial training: fine-tunes on the worst images within a bound (Madry et al. 2018, arXiv:1706.06083, eq. 2.1).

Differs from the paper: it starts from the stolen model instead of random weights. Batch normalisation uses its running
statistics while the worst images are sought, and those of the worst images in training.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, fit, in_eval_mode, lesson_of


@dataclass(frozen=True)
class AdversarialTrain:
    """Trains all layers for `epochs` on images that `steps` of projected gradient ascent made hard.

    No pixel moves further than `bound` (of a pixel range of 1); each step moves every pixel by the share `step` of the bound.
    `rate`: peak of a one-cycle learning rate; `flips`: whether images are mirrored at random.
    """

    bound: float = 8 / 255  # epsilon in the paper
    steps: int = 7
    step: float = 0.25
    epochs: int = 5
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not (0 < self.bound < 1 and self.step > 0 and self.steps > 0):
            raise UsageError(f"AdversarialTrain: expected a bound in (0, 1) and a step and steps above 0, got {self}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen`, trained on hard images."""
        check_unlocated(self, thief)
        model = copied(stolen).requires_grad_(True)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        module, targets, loss = lesson_of(model, thief)

        def shown(batch: Tensor, wanted: Tensor) -> Tensor:
            with in_eval_mode(module):
                return self.hardest(batch, lambda images: loss(module(images), wanted), rng)

        fit(module, thief, targets, loss, training, rng, progress, shown)
        return model.eval()

    def hardest(self, images: Tensor, loss: Callable[[Tensor], Tensor], rng: torch.Generator) -> Tensor:
        """Images (n, channels, height, width) in [0, 1] within the bound of `images`, moved up the `loss` from a random start."""
        start = (2 * torch.rand(images.shape, generator=rng).to(images) - 1) * self.bound
        found = (images + start).clamp(0, 1)
        for _ in range(self.steps):
            found.requires_grad_(True)
            (slope,) = torch.autograd.grad(loss(found), found)
            moved = found.detach() + self.step * self.bound * slope.sign()
            found = torch.minimum(torch.maximum(moved, images - self.bound), images + self.bound).clamp(0, 1)
        return found.detach()
