"""IPGuard: images just beyond the model's boundary between two classes (Cao, Jia, Gong 2021, arXiv:1910.12903).

Differs from the paper: images stay in [0, 1] and are rounded to 8 bits; images whose label changes by rounding are replaced,
and so are the slowest 15 % of them where there are plenty.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import to_unit
from ownmark.method_strings import Choice
from ownmark.models.prepared import frozen
from ownmark.perturb.adam import Search
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TRIES, Pixels, Rows, Samples, check_count, check_model, claimed, gathered, some
from ownmark.tasks import Classification, Task

POOL = 256  # candidates that one search is given; it holds as many at once as suit it
SLOW = 0.15  # the share of candidates that are given up, those that take the most steps,
AMPLE = 2  # if there are so many candidates per sample


class Aim(Choice):
    """Target class of an image: its LEAST likely class, or one drawn at RANDOM."""

    LEAST = "least"
    RANDOM = "random"


@dataclass(frozen=True)
class IPGuard:
    """Perturbs `samples` of the owner's images until the class of `aim` exceeds the original class by `margin` logits.

    The original class stays second, so that the image lies near the boundary between the two.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    margin: float = 10.0  # k in the paper
    aim: Aim = Aim.LEAST
    search: Search = Search()

    def __post_init__(self) -> None:
        check_count(self.samples)

    @classmethod
    def as_published(cls, samples: int = 100) -> "IPGuard":
        """The paper's settings: k = 10, at most 1,000 Adam steps; unverified: the least likely class, a rate of 0.001."""
        return cls(samples=samples, margin=10.0, aim=Aim.LEAST, search=Search(steps=1000, rate=0.001))

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged. Raises ProtectError if too few samples survive rounding."""
        check_model(model, owner.images)
        rows = some(len(owner.images), TRIES * self.samples, rng)
        look, pixels = frozen(model), owner.images.pixels
        slow = SLOW if len(rows) >= AMPLE * self.samples else 0.0

        def make(batch: Rows, tell: Progress) -> Samples:
            return self.make(look, pixels[batch], rng, tell, math.ceil((1 - slow) * len(batch)))

        resume = Resume.of(self, model, owner, rng)
        return claimed(self, model, owner, gathered(rows, self.samples, make, progress, resume, POOL, tries=TRIES))

    def make(
        self, model: nn.Module, clean: Pixels, rng: torch.Generator, progress: Progress = silent, enough: int | None = None
    ) -> Samples:
        """Samples made from `clean` (n, height, width, channels) on a frozen model; once `enough` are done, no others are."""
        images = to_unit(clean, next(model.parameters()).device)
        with torch.no_grad():
            logits = model(images)
        own, aim = logits.argmax(dim=1), self._aims(logits, rng)
        changed = self.search.run(images, partial(self._objective, model, own, aim), progress, enough)
        return Samples.checked(model, changed, aim, clean)

    def _aims(self, logits: Tensor, rng: torch.Generator) -> Tensor:
        """(n,): a target class per image, never the most likely one."""
        order = logits.argsort(dim=1, descending=True)
        last = order.shape[1] - 1
        drawn = torch.randint(1, last + 1, (len(order),), generator=rng).to(order.device)
        place = {Aim.LEAST: torch.full_like(drawn, last), Aim.RANDOM: drawn}[self.aim]
        return order.gather(1, place.unsqueeze(1)).squeeze(1)

    def _objective(self, model: nn.Module, own: Tensor, aim: Tensor, changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        loss = boundary_loss(model(changed), own[rows], aim[rows], self.margin)
        return loss, loss.detach() <= 0


def boundary_loss(logits: Tensor, own: Tensor, aim: Tensor, margin: float) -> Tensor:
    """(n,): ReLU(Z_i - Z_j + k) + ReLU(max of the others - Z_i) of logits Z (n, classes), i = `own` and j = `aim` (n,)."""
    first, second = (logits.gather(1, one.unsqueeze(1)).squeeze(1) for one in (own, aim))
    others = logits.scatter(1, torch.stack([own, aim], dim=1), -torch.inf).amax(dim=1)
    return functional.relu(first - second + margin) + functional.relu(others - first)
