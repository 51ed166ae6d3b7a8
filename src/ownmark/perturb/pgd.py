"""Minimises an objective by small image perturbations: projected descent with momentum (Dong et al. 2018, arXiv:1710.06081)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ownmark.errors import UsageError
from ownmark.method_strings import Choice
from ownmark.protocols import Progress, silent


class Norm(Choice):
    """Norm of a perturbation: LINF, its largest pixel, or L2, its root mean square over the image."""

    LINF = "linf"
    L2 = "l2"


Objective = Callable[[Tensor, int], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class Descent:
    """`steps` of projected descent within `bound` (xi in the paper, in units of the pixel range 1) of `norm`.

    The step size starts at `step` times the bound and decays to a tenth of that. The L2 bound limits the root mean square
    over the pixels of an image, so that a value is comparable between the two norms.
    """

    bound: float
    norm: Norm = Norm.LINF
    steps: int = 100
    step: float = 0.08
    momentum: float = 0.7

    def __post_init__(self) -> None:
        if not (self.bound > 0 and self.step > 0 and self.steps > 0):
            raise UsageError(f"expected a bound, a step and a number of steps above 0, got {self}")

    def run(
        self,
        images: Tensor,
        objective: Objective,
        rng: torch.Generator,
        progress: Progress = silent,
        room: Tensor | float = 1.0,
    ) -> Tensor:
        """Perturbed copies of `images` (n, channels, height, width) in [0, 1], within the bound.

        `objective(perturbed, step)` returns a loss (n,) and which images (n,) bool satisfy the constraint. From the second
        half of the steps, the feasible iterate with the lowest loss is kept, or without one the lowest loss of all. An
        objective that is redrawn each step returns None instead, since its losses are not comparable; then the last iterate
        is kept. `room`: the share of the bound, in (0, 1], that each pixel may use, broadcastable to the images.
        """
        noise = torch.rand(images.shape, generator=rng).to(images.device)
        change = self._within(images, (noise - 0.5) * self.bound * room, room)
        pace = torch.zeros_like(images)
        best, least = change, torch.full((len(images),), torch.inf, device=images.device)
        for step in range(self.steps):
            change = change.detach().requires_grad_()
            loss, holds = objective(images + change, step)
            (slope,) = torch.autograd.grad(loss.sum(), change)
            change = change.detach()
            if holds is None:
                best = change
            elif step >= self.steps // 2:
                rank = loss.detach() + (~holds) * 1e6
                better = rank <= least
                least = torch.where(better, rank, least)
                best = torch.where(better.view(-1, 1, 1, 1), change, best)
            pace = self.momentum * pace + slope / slope.abs().mean(dim=(1, 2, 3), keepdim=True).clamp_min(1e-20)
            length = self.step * self.bound * (1 - 0.9 * step / self.steps)
            change = self._within(images, change - length * room * self._direction(pace), room)
            progress(step + 1, self.steps)
        return images + best

    def _direction(self, pace: Tensor) -> Tensor:
        if self.norm is Norm.LINF:
            return pace.sign()
        return pace / _rms(pace)

    def _within(self, images: Tensor, change: Tensor, room: Tensor | float) -> Tensor:
        """Projects the perturbation into the bound and the images into [0, 1]."""
        if self.norm is Norm.LINF:
            change = (change / room).clamp(-self.bound, self.bound) * room
        else:
            change = change * (self.bound / _rms(change / room)).clamp_max(1)
        return (images + change).clamp_(0, 1) - images


def _rms(change: Tensor) -> Tensor:
    return change.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
