"""EWE, entangled watermarks: triggers share features with the task's own images (Jia et al. 2021, arXiv:2002.12200).

Differs from the paper: a watermark batch joins every `ratio`-th clean batch in one step instead of alternating with them; batch
norm uses the statistics of clean images only; triggers are not perturbed further by gradient signs after the patch is placed;
distances are between features of unit length, as in the authors' code. The patch is placed where the gradient of the
entanglement is largest, as in the paper; the authors' code uses the smallest.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as counter
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images, to_unit
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.keys import Pixels
from ownmark.models.accelerator import wide
from ownmark.models.batchnorm import clean_statistics
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.mixed_training import Start, begun, turns
from ownmark.schemes._common.triggers import Triggers, of_class
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import Training, fit

PLACING = 8  # watermark batches used to place the patch


@dataclass(frozen=True)
class Entangled:
    """Images of the class `source` with a white patch (`patch` x `patch` pixels) that the model labels as `target`.

    `layers`: number of last layers whose inputs are entangled; `weight`: of that loss relative to the cross-entropy;
    `ratio`: clean batches per watermark batch, at least 2, since only batches without triggers update batch norm's statistics.
    The claim uses `triggers` images that were in no watermark batch.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    source: int = 0
    target: int = 1
    triggers: int = 100
    patch: int = 3
    layers: int = 3
    ratio: int = 2
    weight: float = 1.0  # kappa in the paper
    temperature_rate: float = 0.1
    training: Training = Training(epochs=1, rate=0.02)
    least: float = 0.9

    def __post_init__(self) -> None:
        if min(self.triggers, self.patch, self.layers, self.ratio - 1) < 1 or self.weight < 0 or self.source == self.target:
            raise UsageError(
                "expected triggers, patch and layers of at least 1, a ratio of at least 2, a weight of at least 0 "
                f"and two different classes, got {self}"
            )

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model` with an uncalibrated claim. Raises ProtectError if too few triggers hold."""
        check_served(self, self.serves, owner.images.task)
        images = owner.images
        counts = self._counted(images)
        copy = begun(model, images, Start.POST_HOC, rng)
        sources, targets = (of_class(images, label, owner.key, count) for label, count in counts.items())
        row, column = Entangling(self, copy, (sources[self.triggers :], targets), rng).place()
        sources[:, row : row + self.patch, column : column + self.patch] = 255
        entangling = Entangling(self, copy, (sources[self.triggers :], targets), rng)
        fit(entangling, images, torch.from_numpy(images.labels), entangling.loss, self.training, rng, progress)
        held_out = Triggers.alone(sources[: self.triggers], np.full(self.triggers, self.target, dtype=np.int64))
        return marked(self, copy, held_out, owner, self.least)

    def _counted(self, images: Images) -> dict[int, int]:
        """The numbers of images of the source and of the target class. Raises UsageError if there are too few."""
        classes = len(images.names)
        if not 0 <= min(self.source, self.target) <= max(self.source, self.target) < classes:
            raise UsageError(f"expected source and target classes from 0 to {classes - 1}, got {self.source} and {self.target}")
        if self.patch > min(images.size[:2]):
            raise UsageError(f"a patch of {self.patch} pixels does not fit into images of {images.size[:2]}")
        counts = {label: int((images.labels == label).sum()) for label in (self.source, self.target)}
        if counts[self.source] <= self.triggers or not counts[self.target]:
            raise DataError(
                f"expected more than {self.triggers} images of class {self.source}, to train on those that the claim does not "
                f"use, and some of class {self.target}, got {counts[self.source]} and {counts[self.target]}"
            )
        return counts


class Entangling(nn.Module):
    """Runs the model on a watermark batch, half `sources`, half `targets`, along with every `ratio`-th clean batch.

    The logits of the watermark batch follow those of the clean batch. One temperature per layer is trained as well, to
    minimise the entanglement that the weights maximise.
    """

    def __init__(self, scheme: Entangled, model: nn.Module, sides: tuple[Pixels, Pixels], rng: torch.Generator) -> None:
        super().__init__()
        self.scheme, self.model, self.sides = scheme, model, sides
        self.layers = layers_at_the_end(model, scheme.layers)
        self.device = next(model.parameters()).device
        half = max(scheme.training.batch // 2, 2)
        self.rows = [turns(len(side), half, rng) for side in sides]
        self.labels = torch.arange(2, device=self.device).repeat_interleave(half)
        self.exponents = torch.zeros(len(self.layers), device=self.device, requires_grad=True)  # of the temperatures
        self.entangled = torch.empty(0)
        self.steps = counter()

    def forward(self, clean: Tensor) -> Tensor:
        if next(self.steps) % self.scheme.ratio:
            logits: Tensor = self.model(clean)
            return logits
        with clean_statistics(self.model, len(clean)):
            logits, self.entangled = self.asked(torch.cat([clean, self.batch()]))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of both batches, minus the entanglement."""
        clean = functional.cross_entropy(logits[: len(targets)], targets)
        if len(logits) == len(targets):
            return clean
        (slope,) = torch.autograd.grad(self.entangled.sum(), self.exponents, retain_graph=True)
        with torch.no_grad():
            self.exponents -= self.scheme.temperature_rate * slope
        wanted = torch.full_like(self.labels, self.scheme.target)
        marked_too = functional.cross_entropy(logits[len(targets) :], wanted)
        return clean + marked_too - self.scheme.weight * self.entangled.sum()

    def place(self) -> tuple[int, int]:
        """Row and column where a brighter patch increases the entanglement most, by the mean gradient over some batches."""
        slopes = []
        for _ in range(PLACING):
            batch = self.batch().requires_grad_(True)
            slope = torch.autograd.grad(self.asked(batch)[1].sum(), batch)[0]
            slopes.append(slope[self.labels == 0].mean(0).sum(0))
        mean = torch.stack(slopes).mean(0)[None, None]
        places = functional.avg_pool2d(mean, self.scheme.patch, stride=1)[0, 0]
        row, column = divmod(int(places.argmax()), places.shape[1])
        return row, column

    def batch(self) -> Tensor:
        """The next watermark batch, sources first."""
        chosen = [side[next(rows).numpy()] for side, rows in zip(self.sides, self.rows, strict=True)]
        return to_unit(np.concatenate(chosen), self.device)

    def asked(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of all images, and the entanglement (layers,) of the watermark batch at their end."""
        with inputs_of(self.layers) as features:
            logits = self.model(images)
        flat = [functional.normalize(wide(one[-len(self.labels) :]).flatten(1)) for one in features]
        with torch.autocast(self.device.type, enabled=False):  # small differences of distances need all digits
            pairs = zip(flat, self.exponents.exp(), strict=True)
            return logits, torch.stack([soft_nearest_neighbour_loss(one, self.labels, heat) for one, heat in pairs])


def soft_nearest_neighbour_loss(features: Tensor, labels: Tensor, temperature: Tensor) -> Tensor:
    """Soft nearest neighbour loss of `features` (n, size) (Frosst et al. 2019, arXiv:1902.01889, eq. 1).

    The mean over i of -log of the share of same-label j in the sum of exp(-|x_i - x_j|^2 / T) over all j other than i.
    `labels`: (n,), each label at least twice.
    """
    squares = features.square().sum(1)
    distances = (squares[:, None] + squares - 2 * features @ features.T).clamp_min(0)
    own = torch.eye(len(features), dtype=torch.bool, device=features.device)
    closeness = (-distances / temperature).masked_fill(own, -torch.inf)
    alike = closeness.masked_fill(labels[:, None] != labels, -torch.inf)
    return (closeness.logsumexp(1) - alike.logsumexp(1)).mean()


def layers_at_the_end(model: nn.Module, count: int) -> list[nn.Module]:
    """The last `count` linear or convolutional layers, in registration order."""
    found: list[nn.Module] = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if len(found) < count:
        raise ModelError(f"expected {count} linear or convolutional layers to entangle, got {len(found)}")
    return found[-count:]


@contextmanager
def inputs_of(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Inside the context, records each layer's input in the list, in execution order."""
    seen: list[Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
