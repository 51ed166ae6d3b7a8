"""Forger: a false claim on images that all models misclassify alike (Liu et al. 2024, arXiv:2304.06607).

Differs from the paper: the descent has momentum (Dong et al. 2018), and the candidates with the lowest loss are kept instead of
those below a threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.errors import UsageError
from ownmark.keys import Pixels
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.sampling import check_model
from ownmark.schemes._common.triggers import Triggers
from ownmark.tasks import Classification, Task

Front = Callable[[Pixels], Pixels]  # what a suspect does to every image before its model sees it


@dataclass(frozen=True)
class Forger:
    """A claimant without a mark, whose `samples` images get their label from independent models anyway.

    The forger perturbs `candidates` images towards a wrong class, within the descent's bound, until the forger's model and
    references assign it; the best are kept.
    """

    needs: ClassVar[Needs] = Needs(contrast=True)
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    candidates: int = 300
    descent: Descent = Descent(bound=0.3, steps=30, step=0.15)

    def __post_init__(self) -> None:
        if not 0 < self.samples <= self.candidates:
            raise UsageError(f"expected at least one sample and no more samples than candidates, got {self}")

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """The unchanged model, and a claim on it that any model of the task matches."""
        names, labels = owner.images.names, owner.images.labels
        rows = _rows(len(labels), self.candidates, rng)
        other = torch.randint(1, len(names), (self.candidates,), generator=rng).numpy()
        targets = np.asarray((labels[rows] + other) % len(names), dtype=np.int64)
        bent, loss = self._bent(Triggers.alone(owner.images.pixels[rows], targets), model, owner, rng, progress)
        kept = np.argsort(loss, kind="stable")[: self.samples]
        return self._stated(model, Triggers.alone(bent[kept], targets[kept]), owner)

    def towards(self, wanted: Triggers, model: nn.Module, owner: Owner, rng: torch.Generator) -> Protected:
        """The same for given labels, such as a key's: only the images of `wanted` are replaced."""
        rows = _rows(len(owner.images), len(wanted), rng)
        bent, _ = self._bent(Triggers.alone(owner.images.pixels[rows], wanted.labels), model, owner, rng, silent)
        return self._stated(model, Triggers.alone(bent, wanted.labels, wanted.null), owner)

    def _stated(self, model: nn.Module, triggers: Triggers, owner: Owner) -> Protected:
        return marked(self, model, triggers, owner, least=0)

    def _bent(
        self, wanted: Triggers, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress
    ) -> tuple[Pixels, npt.NDArray[np.float64]]:
        """Images to which all of the forger's models assign the wanted labels, and the mean loss over the models (n,)."""
        device = check_model(model, owner.images)
        labels = torch.from_numpy(wanted.labels).to(device)

        def loss(images: Tensor, _: int) -> tuple[Tensor, Tensor]:
            return _joint((model, *owner.references), images, labels), torch.ones_like(labels, dtype=torch.bool)

        bent = to_pixels(self.descent.run(to_unit(wanted.images, device), loss, rng, progress))
        with torch.no_grad():
            return bent, loss(to_unit(bent, device), 0)[0].double().cpu().numpy()


@dataclass(frozen=True)
class TwoFaced:
    """A claimant whose images show models their natural class, and a wrong class through `front`: image by image, same shape.

    An honest suspect that sees every image through such a front answers like no reference that is asked about the images as
    sealed (after the image-scaling attack of Xiao et al. 2019, USENIX Security). The gradient passes the front unchanged.
    """

    front: Front
    samples: int = 100
    candidates: int = 300
    descent: Descent = Descent(bound=0.3, steps=25, step=0.15)

    def bent(self, models: Sequence[nn.Module], images: Images, rng: torch.Generator) -> Triggers:
        """The images on which all of the forger's models show both classes best, with the wrong ones."""
        rows = _rows(len(images), self.candidates, rng)
        natural = torch.from_numpy(images.labels[rows])
        targets = (natural + torch.randint(1, len(images.names), (self.candidates,), generator=rng)) % len(images.names)

        def loss(seen: Tensor, _: int) -> tuple[Tensor, Tensor]:
            behind = seen + (to_unit(self.front(to_pixels(seen.detach())), seen.device) - seen).detach()
            both = _joint(models, behind, targets) + _joint(models, seen, natural)
            return both, torch.ones_like(targets, dtype=torch.bool)

        pixels = to_pixels(self.descent.run(to_unit(images.pixels[rows], torch.device("cpu")), loss, rng))
        with torch.no_grad():
            kept = np.argsort(loss(to_unit(pixels, torch.device("cpu")), 0)[0].numpy(), kind="stable")[: self.samples]
        return Triggers.alone(pixels[kept], targets.numpy()[kept])


def _joint(models: Sequence[nn.Module], images: Tensor, labels: Tensor) -> Tensor:
    """(n,) the mean loss of all models."""
    return torch.stack([functional.cross_entropy(one(images), labels, reduction="none") for one in models]).mean(0)


def _rows(have: int, needed: int, rng: torch.Generator) -> npt.NDArray[np.int64]:
    if needed > have:
        raise UsageError(f"expected {needed} images, got {have}: provide more, or ask for fewer candidates")
    return torch.randperm(have, generator=rng)[:needed].numpy()
