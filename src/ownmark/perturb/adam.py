"""Minimises an objective by small image perturbations: Adam on the pixels (Kingma & Ba 2015, arXiv:1412.6980)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ownmark.errors import UsageError
from ownmark.protocols import Progress, silent

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # decay rates of Adam's two averages, and its epsilon
TOGETHER = 64  # images that are changed at once
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

    def run(self, images: Tensor, objective: Objective, progress: Progress = silent, enough: int | None = None) -> Tensor:
        """Perturbed copies of `images` (n, channels, height, width) in [0, 1]; each stops changing once it is done.

        `objective(changed, rows)` returns the loss and whether the image is done, both (m,), for the images at `rows` (m,), of
        which there are at most `TOGETHER`: whenever some are done, others take their place. Once `enough` images are done,
        those that are not come back unchanged.
        """
        found, waiting = images.clone(), torch.arange(len(images), device=images.device)
        rows, waiting = waiting[:TOGETHER], waiting[TOGETHER:]
        pace, spread = torch.zeros_like(images), torch.zeros_like(images)
        taken, finished = torch.zeros(len(images), dtype=torch.long, device=images.device), 0
        while len(rows):
            changed = found[rows].requires_grad_()
            loss, done = objective(changed, rows)
            (slope,) = torch.autograd.grad(loss.sum(), changed)
            rows, slope, finished = rows[~done], slope[~done], finished + int(done.sum())
            if enough is not None and finished >= enough:
                found[rows] = images[rows]
                break
            pace[rows] = FIRST * pace[rows] + (1 - FIRST) * slope
            spread[rows] = SECOND * spread[rows] + (1 - SECOND) * slope.square()
            taken[rows] += 1
            pull = (pace[rows] / _grown(FIRST, taken[rows])) / ((spread[rows] / _grown(SECOND, taken[rows])).sqrt() + TINY)
            found[rows] = self._within(images[rows], found[rows] - self.rate * pull)
            rows = rows[taken[rows] < self.steps]
            room = TOGETHER - len(rows)
            rows, waiting = torch.cat([rows, waiting[:room]]), waiting[room:]
            over = len(images) - len(waiting) - len(rows)
            progress(int(taken[rows].sum()) + over * self.steps, len(images) * self.steps)
        progress(len(images) * self.steps, len(images) * self.steps)
        return found

    def _within(self, images: Tensor, changed: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(changed, images - self.bound), images + self.bound).clamp(0, 1)


def _grown(rate: float, steps: Tensor) -> Tensor:
    """(n, 1, 1, 1) the weight that a running average of that decay rate, begun at 0, has after so many steps."""
    return (1 - rate ** steps.double()).float().view(-1, 1, 1, 1)
