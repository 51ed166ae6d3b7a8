"""TAFA: images in a chosen linear region of a ReLU network, for any task (Pan, Zhang, Lu, Yang 2021, ESORICS).

Differs from the paper, of which only the idea is used: the signs of some hidden units are drawn at random, and Adam perturbs an
image until the units have these signs with a margin. The model's answer is read last, and in one place.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import to_pixels, to_unit
from ownmark.errors import ModelError, UsageError
from ownmark.method_strings import Choice
from ownmark.models.prepared import frozen
from ownmark.perturb.adam import Objective, Search
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TRIES, Rows, Samples, check_count, check_model, claimed, gathered, some
from ownmark.tasks import Classification, Task


class Origin(Choice):
    """Start of a sample: the owner's IMAGES, or NOISE, which needs no image."""

    IMAGES = "images"
    NOISE = "noise"


@dataclass(frozen=True)
class TAFA:
    """Perturbs `samples` of the `origin` by `search` until `units` random hidden units per sample have their drawn signs.

    `margin`: distance from the region's border, in standard deviations of the layer. A sample holds if at least the share
    `least` of its units keep their signs after rounding.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = False
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    samples: int = 100
    origin: Origin = Origin.IMAGES
    units: int = 128
    margin: float = 0.2
    search: Search = Search(steps=200, rate=0.005)
    least: float = 0.9

    def __post_init__(self) -> None:
        check_count(self.samples)
        if not (self.units > 0 and 0 <= self.margin < math.inf and 0 <= self.least <= 1):
            raise UsageError(f"expected units > 0, a margin >= 0 and a least share in [0, 1], got {self}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "TAFA":
        """As in the paper, without any image of the owner's; the numbers are ours."""
        return cls(samples=samples, origin=Origin.NOISE)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned unchanged.

        Raises ModelError for a model without nn.ReLU, ProtectError if too few samples reach their region.
        """
        device = check_model(model, owner.images)
        look, images = frozen(model), owner.images

        def make(rows: Rows, tell: Progress) -> Samples:
            clean = images.pixels[rows]
            if self.origin is Origin.NOISE:
                clean = torch.randint(256, clean.shape, generator=rng, dtype=torch.uint8).numpy()
            region = Region.drawn(look, to_unit(clean, device), self.units, rng)
            pixels = to_pixels(self.search.run(to_unit(clean, device), region.objective(self.margin), tell))
            rounded = to_unit(pixels, device)
            with torch.no_grad():
                holds = (region.heights(rounded) > 0).double().mean(dim=1) >= self.least
                answers = look(rounded).argmax(dim=1)  # another task would store another answer here
            return Samples(pixels, answers.cpu().numpy(), holds.cpu().numpy(), clean if self.origin is Origin.IMAGES else None)

        rows = some(len(images), TRIES * self.samples, rng)
        made = gathered(rows, self.samples, make, progress, Resume.of(self, model, owner, rng), tries=TRIES)
        return claimed(self, model, owner, made)


@dataclass(frozen=True, eq=False)
class Region:
    """Target regions of n images: for each image the signs (+-1) of some hidden units.

    `places`, `sides` (n, k) and `spreads` have one entry per ReLU call: the units, their signs, and the standard deviation of
    its input. Independent of the model's answers.
    """

    model: nn.Module
    places: tuple[Tensor, ...]
    sides: tuple[Tensor, ...]
    spreads: tuple[Tensor, ...]

    @classmethod
    def drawn(cls, model: nn.Module, images: Tensor, units: int, rng: torch.Generator) -> "Region":
        """At least `units` units and signs for each of `images` (n, channels, height, width), equally many per ReLU."""
        with torch.no_grad():
            seen = _into_relus(model, images)
        shape = (len(images), math.ceil(units / len(seen)))
        places = tuple(torch.randint(one.shape[1], shape, generator=rng).to(one.device) for one in seen)
        sides = tuple((2 * torch.randint(2, shape, generator=rng) - 1).to(one) for one in seen)
        return cls(model, places, sides, tuple(one.std().clamp_min(1e-12) for one in seen))

    def heights(self, images: Tensor, rows: Tensor | None = None) -> Tensor:
        """(m, units) signed distance of the units from their borders, negative if wrong; `rows` (m,): the images to use."""
        rows = torch.arange(len(images), device=images.device) if rows is None else rows
        seen = _into_relus(self.model, images)
        each = zip(seen, self.places, self.sides, self.spreads, strict=True)
        return torch.cat([side[rows] * one.gather(1, place[rows]) / spread for one, place, side, spread in each], dim=1)

    def objective(self, margin: float) -> Objective:
        """Objective for `Search`: how far each image's units are short of `margin`, and whether all have reached it."""

        def distance(changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            missing = functional.relu(margin - self.heights(changed, rows))
            return missing.mean(dim=1), (missing.detach() <= 0).all(dim=1)

        return distance


def _into_relus(model: nn.Module, images: Tensor) -> list[Tensor]:
    """The input of each ReLU call in execution order: (n, units) each."""
    with _watched(model) as seen:
        model(images)
    if not seen:
        raise ModelError("the model runs no nn.ReLU, so it has no linear regions to target; choose another scheme")
    return seen


@contextmanager
def _watched(model: nn.Module) -> Iterator[list[Tensor]]:
    seen: list[Tensor] = []

    def note(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].flatten(1).clone())  # a ReLU may work in place

    handles = [part.register_forward_pre_hook(note) for part in model.modules() if isinstance(part, nn.ReLU)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
