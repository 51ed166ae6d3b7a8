"""Characteristic examples (LTRC): noise images of drawn classes, robust to weight noise (Wang et al. 2021, arXiv:2105.07078).

Differs from the paper (IJCAI 2021): images are rounded to 8 bits, and those whose label changes by rounding are replaced; the
descent keeps the best of its later steps.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.method_strings import Choice
from ownmark.models.prepared import frozen
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TRIES, Rows, Samples, check_count, check_model, claimed, gathered
from ownmark.tasks import Classification, Task


class Band(Choice):
    """Frequencies of the perturbation that are kept: HIGH ones, which do not transfer to other models, or LOW ones."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True)
class Characteristic:
    """Perturbs `samples` images of uniform noise by `descent` until the model assigns a randomly drawn class.

    Each step averages the gradient over `draws` copies with weight noise of at most `noise` (delta in the paper).
    The LOW `band` is the lowest `cut` of both the rows and the columns of the perturbation's cosine spectrum.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    descent: Descent = Descent(bound=0.05, momentum=0.0)
    noise: float = 0.005
    draws: int = 2
    band: Band = Band.HIGH
    cut: float = 0.25

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not (0 <= self.noise < math.inf and self.draws > 0 and 0 <= self.cut <= 1):
            raise UsageError(f"expected noise >= 0, draws > 0 and a cut in [0, 1], got {self}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "Characteristic":
        """The paper's LTRC examples: high-pass, weight noise, gradients averaged over several draws. The numbers are ours."""
        return cls(samples=samples, draws=10)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged; of the owner's images only size and class names are used.

        Raises ProtectError if too few samples keep their class after rounding to 8 bits.
        """
        device = check_model(model, owner.images)
        look, (height, width, channels) = frozen(model), owner.images.size

        def make(rows: Rows, tell: Progress) -> Samples:
            count = len(rows)
            start = torch.rand(count, channels, height, width, generator=rng).to(device)
            with torch.no_grad():
                own = look(start).argmax(dim=1)
            classes = len(owner.images.names)
            aim = (own + torch.randint(1, classes, (count,), generator=rng).to(device)) % classes
            return self.make(look, start, aim, rng, tell)

        candidates = torch.arange(TRIES * self.samples).numpy()
        made = gathered(candidates, self.samples, make, progress, Resume.of(self, model, owner, rng), tries=TRIES)
        return claimed(self, model, owner, made)

    def make(self, model: nn.Module, start: Tensor, aim: Tensor, rng: torch.Generator, progress: Progress = silent) -> Samples:
        """Perturbs `start` (n, channels, height, width) in [0, 1] towards the classes `aim` (n,) on a frozen model."""
        changed = self.descent.run(start, partial(self._objective, model, start, aim, rng), rng, progress)
        return Samples.checked(model, self._kept(start, changed), aim)

    def _kept(self, start: Tensor, changed: Tensor) -> Tensor:
        """`start` plus the part of the perturbation that lies in the band."""
        change = changed - start
        low = _smooth(change, self.cut)
        seen = start + {Band.HIGH: change - low, Band.LOW: low}[self.band]
        # straight-through: a clamped pixel keeps its gradient, or it would stay there
        return seen + (seen.clamp(0, 1) - seen).detach()

    def _objective(
        self, model: nn.Module, start: Tensor, aim: Tensor, rng: torch.Generator, changed: Tensor, _: int
    ) -> tuple[Tensor, Tensor]:
        seen = self._kept(start, changed)
        logits = torch.stack([functional_call(model, self._shaken(model, rng), (seen,)) for _ in range(self.draws)])
        loss = functional.cross_entropy(logits.transpose(0, 1).flatten(0, 1), aim.repeat_interleave(self.draws), reduction="none")
        return loss.view(-1, self.draws).mean(dim=1), (logits.argmax(dim=2) == aim).all(dim=0)

    def _shaken(self, model: nn.Module, rng: torch.Generator) -> dict[str, Tensor]:
        """The model's weights with uniform noise."""
        return {
            name: weight + self.noise * (2 * torch.rand(weight.shape, generator=rng).to(weight) - 1)
            for name, weight in model.named_parameters()
        }


def _smooth(images: Tensor, cut: float) -> Tensor:
    """The part of `images` among the lowest `cut` of both row and column frequencies."""
    down, across = (_lowest(size, cut).to(images) for size in images.shape[2:])
    return down @ images @ across


def _lowest(size: int, cut: float) -> Tensor:
    """(size, size): the projection onto the lowest `cut` of the cosines of the orthonormal DCT-II."""
    places = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi / size * torch.outer(torch.arange(round(cut * size)), places + 0.5))
    waves /= waves.norm(dim=1, keepdim=True)
    return waves.T @ waves
