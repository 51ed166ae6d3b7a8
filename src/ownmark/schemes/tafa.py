"""TAFA: images that pin a linear region of a ReLU network, whatever its task (Pan, Zhang, Lu, Yang 2021, ESORICS).

Differs from the paper, of which only the idea is followed: on which side of their border some hidden units shall be is drawn at
random, and Adam moves an image until they are there with a margin. What the model answers there is read last, and in one place.
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
from ownmark.perturb.adam import Objective, Search
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Resume
from ownmark.schemes._common.sampling import TRIES, Rows, Samples, check_count, claimed, frozen, gathered, some
from ownmark.schemes._common.watermark import check_model
from ownmark.tasks import Classification, Task


class Origin(Choice):
    """What a sample is made from: the owner's IMAGES, or NOISE, for which no image is needed."""

    IMAGES = "images"
    NOISE = "noise"


@dataclass(frozen=True)
class TAFA:
    """`samples` of the `origin`, moved by `search` until `units` hidden units, drawn for each, are on the side drawn for them.

    `margin`: how far from the border of the region, in standard deviations of the layer. A sample holds if at least the share
    `least` of its units is still on its side after rounding.
    """

    contrast: ClassVar[bool] = False
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
            raise UsageError(f"a region needs units > 0, a margin >= 0 and a least share in [0, 1], got {self}")

    @classmethod
    def as_published(cls, samples: int = 100) -> "TAFA":
        """As the paper has it, without an image of the owner's; the numbers are chosen here."""
        return cls(samples=samples, origin=Origin.NOISE)

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A claim on `model`, which is returned as it is.

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
                answers = look(rounded).argmax(dim=1)  # another task would keep another answer here
            return Samples(pixels, answers.cpu().numpy(), holds.cpu().numpy(), clean if self.origin is Origin.IMAGES else None)

        rows = some(len(images), TRIES * self.samples, rng)
        made = gathered(rows, self.samples, make, progress, Resume.of(self, model, owner, rng))
        return claimed(self, model, owner, made)


@dataclass(frozen=True, eq=False)
class Region:
    """Where n images shall be: for each of them the sides (+-1) of the borders of some hidden units.

    `places`, `sides` (n, k) and `spreads` have one entry for each time that the model runs a ReLU: the units, their sides, and
    the standard deviation of what goes into it. Of the model's answers nothing is known here.
    """

    model: nn.Module
    places: tuple[Tensor, ...]
    sides: tuple[Tensor, ...]
    spreads: tuple[Tensor, ...]

    @classmethod
    def drawn(cls, model: nn.Module, images: Tensor, units: int, rng: torch.Generator) -> "Region":
        """At least `units` units for each of `images` (n, channels, height, width), as many from each ReLU, and their sides."""
        with torch.no_grad():
            seen = _into_relus(model, images)
        shape = (len(images), math.ceil(units / len(seen)))
        places = tuple(torch.randint(one.shape[1], shape, generator=rng).to(one.device) for one in seen)
        sides = tuple((2 * torch.randint(2, shape, generator=rng) - 1).to(one) for one in seen)
        return cls(model, places, sides, tuple(one.std().clamp_min(1e-12) for one in seen))

    def heights(self, images: Tensor, rows: Tensor | None = None) -> Tensor:
        """How far each unit of `images`, those in `rows` (m,) or all, is on its side: (m, units), negative on the wrong one."""
        rows = torch.arange(len(images), device=images.device) if rows is None else rows
        seen = _into_relus(self.model, images)
        each = zip(seen, self.places, self.sides, self.spreads, strict=True)
        return torch.cat([side[rows] * one.gather(1, place[rows]) / spread for one, place, side, spread in each], dim=1)

    def objective(self, margin: float) -> Objective:
        """What `Search` asks: how far each image's units are from `margin` on their sides, and whether all have reached it."""

        def distance(changed: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            missing = functional.relu(margin - self.heights(changed, rows))
            return missing.mean(dim=1), (missing.detach() <= 0).all(dim=1)

        return distance


def _into_relus(model: nn.Module, images: Tensor) -> list[Tensor]:
    """What goes into each ReLU, in the order in which they are run: (n, units) each."""
    with _watched(model) as seen:
        model(images)
    if not seen:
        raise ModelError("the model runs no nn.ReLU, so that no linear region of it can be pinned; take another scheme")
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
