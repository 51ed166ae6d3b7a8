"""Minimises an objective by small image perturbations: Adam on the pixels (Kingma & Ba 2015, arXiv:1412.6980)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ownmark.errors import UsageError
from ownmark.protocols import Progress, silent

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # decay rates of Adam's two averages, and its epsilon
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Search:
    """At most `steps` of Adam (Kingma & Ba 2015, arXiv:1412.6980) at `rate`; no pixel changes by more than `bound`.

    `rate` and `bound` are in units of the pixel range 1.
    """

    steps: int = 1000
    rate: float = 0.001
    bound: float = 1.0

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.rate > 0 and 0 < self.bound <= 1):
            raise UsageError(f"expected steps and a rate above 0 and a bound in (0, 1], got {self}")

    def run(self, images: Tensor, objective: Objective, progress: Progress = silent) -> Tensor:
        """Perturbed copies of `images` (n, channels, height, width) in [0, 1]; each stops changing once it is done.

        `objective(changed, rows)` returns the loss and whether the image is done, both (m,), for the images at `rows` (m,).
        """
        found, rows = images.clone(), torch.arange(len(images), device=images.device)
        pace, spread = torch.zeros_like(images), torch.zeros_like(images)
        for step in range(1, self.steps + 1):
            changed = found[rows].requires_grad_()
            loss, done = objective(changed, rows)
            (slope,) = torch.autograd.grad(loss.sum(), changed)
            rows, slope = rows[~done], slope[~done]
            if not len(rows):
                break
            pace[rows] = FIRST * pace[rows] + (1 - FIRST) * slope
            spread[rows] = SECOND * spread[rows] + (1 - SECOND) * slope.square()
            pull = (pace[rows] / (1 - FIRST**step)) / ((spread[rows] / (1 - SECOND**step)).sqrt() + TINY)
            found[rows] = self._within(images[rows], found[rows] - self.rate * pull)
            progress(step, self.steps)
        progress(self.steps, self.steps)
        return found

    def _within(self, images: Tensor, changed: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(changed, images - self.bound), images + self.bound).clamp(0, 1)
