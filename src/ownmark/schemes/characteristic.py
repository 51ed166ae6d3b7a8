"""Characteristic examples (LTRC): noise that becomes images of drawn classes and stays so under noise in the weights.

Wang, Wang, Chen, Zhao, Lin 2021 (IJCAI; arXiv:2105.07078). Differs from the paper: an image is rounded to 8 bits, and one whose
label is lost by that is replaced by another; the descent keeps the best of its later steps.
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
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TRIES, Rows, Samples, check_count, claimed, frozen, gathered
from ownmark.schemes._common.watermark import check_model
from ownmark.tasks import Classification, Task


class Band(Choice):
    """Which frequencies of the change are kept: HIGH ones, which other models do not share, or LOW ones."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True)
class Characteristic:
    """`samples` images of uniform noise, each changed by `descent` until the model sees another class, drawn for it.

    At each step the slope is the mean over `draws` models whose weights have noise of at most `noise` (delta in the paper).
    Of the change, the lowest `cut` of the rows and columns of its cosine spectrum, together, are the LOW `band`.
    """

    contrast: ClassVar[bool] = False
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
            raise UsageError(f"characteristic examples need noise >= 0, draws > 0 and a cut in [0, 1], got {self}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "Characteristic":
        """The paper's LTRC examples: high-pass, noise in the weights, the mean of several slopes. Its numbers are chosen here."""
        return cls(samples=samples, draws=10)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned as it is; of the owner's images only size and names of the classes are used.

        Raises ProtectError if too few samples keep their class as 8 bits.
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
        made = gathered(candidates, self.samples, make, progress, Resume.of(self, model, owner, rng))
        return claimed(self, model, owner, made)

    def make(self, model: nn.Module, start: Tensor, aim: Tensor, rng: torch.Generator, progress: Progress = silent) -> Samples:
        """What becomes of `start` (n, channels, height, width) in [0, 1] for the classes `aim` (n,) on a frozen model."""
        changed = self.descent.run(start, partial(self._objective, model, start, aim, rng), rng, progress)
        return Samples.checked(model, self._kept(start, changed), aim)

    def _kept(self, start: Tensor, changed: Tensor) -> Tensor:
        """`start` with the part of the change that lies in the band."""
        change = changed - start
        low = _smooth(change, self.cut)
        seen = start + {Band.HIGH: change - low, Band.LOW: low}[self.band]
        return seen + (seen.clamp(0, 1) - seen).detach()  # a pixel at its limit still feels its slope, or it would stay there

    def _objective(
        self, model: nn.Module, start: Tensor, aim: Tensor, rng: torch.Generator, changed: Tensor, _: int
    ) -> tuple[Tensor, Tensor]:
        seen = self._kept(start, changed)
        logits = torch.stack([functional_call(model, self._shaken(model, rng), (seen,)) for _ in range(self.draws)])
        loss = functional.cross_entropy(logits.transpose(0, 1).flatten(0, 1), aim.repeat_interleave(self.draws), reduction="none")
        return loss.view(-1, self.draws).mean(dim=1), (logits.argmax(dim=2) == aim).all(dim=0)

    def _shaken(self, model: nn.Module, rng: torch.Generator) -> dict[str, Tensor]:
        """The model's weights, each with uniform noise."""
        return {
            name: weight + self.noise * (2 * torch.rand(weight.shape, generator=rng).to(weight) - 1)
            for name, weight in model.named_parameters()
        }


def _smooth(images: Tensor, cut: float) -> Tensor:
    """The part of `images` whose frequencies are among the lowest `cut` of the rows and of the columns alike."""
    down, across = (_lowest(size, cut).to(images) for size in images.shape[2:])
    return down @ images @ across


def _lowest(size: int, cut: float) -> Tensor:
    """(size, size): the projection onto the lowest `cut` of the cosines of the orthonormal DCT-II."""
    places = torch.arange(size, dtype=torch.float64)
    waves = torch.cos(math.pi / size * torch.outer(torch.arange(round(cut * size)), places + 0.5))
    waves /= waves.norm(dim=1, keepdim=True)
    return waves.T @ waves
