"""What fingerprints share: Adam on pixels, samples that are checked after rounding and kept on the way, and the claim on them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import to_pixels, to_unit
from ownmark.errors import ProtectError, UsageError
from ownmark.files import write_whole
from ownmark.models.copies import copied
from ownmark.models.memory_format import laid_out
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading
from ownmark.tasks import Classification

TRIES = 4  # candidates per sample that is asked for, before giving up
SURPLUS = 1.2  # candidates made at once per sample that is still wanted
TOGETHER = 64  # candidates in one batch
FIRST, SECOND, TINY = 0.9, 0.999, 1e-8  # Adam's two averages and its least divisor

Rows = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
Made = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Search:
    """At most `steps` of Adam (Kingma & Ba 2015, arXiv:1412.6980) at `rate` on the pixels, each by no more than `bound`.

    Units are those of a pixel range of 1.
    """

    steps: int = 1000
    rate: float = 0.001
    bound: float = 1.0

    def __post_init__(self) -> None:
        if not (self.steps > 0 and self.rate > 0 and 0 < self.bound <= 1):
            raise UsageError(f"a search needs steps and a rate above 0 and a bound in (0, 1], got {self}")

    def run(self, images: Tensor, objective: Objective, progress: Progress = silent) -> Tensor:
        """Changed copies of `images` (n, channels, height, width) in [0, 1], each as it was when it was done.

        `objective(changed, rows)` gives the loss and whether it is done, both (m,), of the images in `rows` (m,).
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


@dataclass(frozen=True, eq=False)
class Samples:
    """8-bit `images` (n, height, width, channels) with the label `expected` (n,) of each, and which hold on the model.

    `originals`: what they were made from, None where there was nothing.
    """

    images: Pixels
    expected: Rows
    holds: npt.NDArray[np.bool_]
    originals: Pixels | None = None

    @classmethod
    def checked(cls, model: nn.Module, changed: Tensor, aim: Tensor, originals: Pixels | None = None) -> "Samples":
        """Float images (n, channels, height, width) after rounding; one holds if the rounded one still has its label in `aim`."""
        images = to_pixels(changed)
        with torch.no_grad():
            answers = model(to_unit(images, changed.device)).argmax(dim=1)
        return cls(images, aim.cpu().numpy(), (answers == aim).cpu().numpy(), originals)

    def __len__(self) -> int:
        return len(self.images)

    def take(self, chosen: npt.NDArray[np.bool_] | slice) -> "Samples":
        originals = None if self.originals is None else self.originals[chosen]
        return Samples(self.images[chosen], self.expected[chosen], self.holds[chosen], originals)


Make = Callable[[Rows, Progress], Samples]
Keep = Callable[[int, Callable[[], Samples]], Samples]


def afresh(_: int, make: Callable[[], Samples]) -> Samples:
    """Keeps nothing."""
    return make()


def keeping(scheme: object, model: nn.Module, owner: Owner, rng: torch.Generator) -> Keep:
    """Keeps each batch in the owner's workspace, if there is one, with the state of `rng` after it; those there are read."""
    if owner.workspace is None:
        return afresh
    start = hashlib.sha256(rng.get_state().numpy().tobytes()).hexdigest()
    return partial(_keep, owner.workspace / identity(scheme, model, owner, start), rng)


def _keep(place: Path, rng: torch.Generator, number: int, make: Callable[[], Samples]) -> Samples:
    def made() -> Made:
        samples = make()
        arrays: Made = {"images": samples.images, "expected": samples.expected, "holds": samples.holds}
        arrays["rng"] = rng.get_state().numpy()
        return arrays if samples.originals is None else arrays | {"originals": samples.originals}

    found = kept(place.with_name(f"{place.name}-{number}.safetensors"), made)
    rng.set_state(torch.from_numpy(found["rng"].copy()))
    return Samples(found["images"], found["expected"], found["holds"], found.get("originals"))


def kept(file: Path | None, make: Callable[[], Made]) -> Made:
    """What `make` gives, from `file` if it was made before; a damaged file is made again."""
    if file is None:
        return make()
    try:
        return dict(load(file.read_bytes()))
    except (OSError, SafetensorError):
        made = {name: np.ascontiguousarray(array) for name, array in make().items()}  # safetensors writes memory as it lies
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, save(made))
        return made


def identity(scheme: object, model: nn.Module, owner: Owner, start: object) -> str:
    """Digest of all that decides what a batch becomes; `start`: where the random numbers begin."""
    helpers = [weights_digest(one) for one in (model, *owner.surrogates, *owner.references)]
    pixels = hashlib.sha256(owner.images.pixels.tobytes() + owner.images.labels.tobytes()).hexdigest()
    task = "" if isinstance(owner.images.task, Classification) else f" {owner.images.task}"
    return hashlib.sha256(f"{scheme} {helpers} {pixels} {start}{task}".encode()).hexdigest()[:16]


def gathered(candidates: Rows, wanted: int, make: Make, progress: Progress = silent, keep: Keep = afresh) -> Samples:
    """The first `wanted` samples that hold of those that `make` gives for the candidates, batch by batch, if `keep` has none yet.

    Raises ProtectError, which says how many hold, where there are fewer.
    """
    parts: list[Samples] = []
    tried, found = 0, 0
    while found < wanted and tried < len(candidates):
        left = ceil(SURPLUS * (wanted - found))
        batch = candidates[tried : tried + min(TOGETHER, left)]
        tell = partial(advance, progress, (tried, len(batch), tried + max(left, len(batch))))
        part = keep(tried, partial(make, batch, tell))
        parts.append(part.take(part.holds))
        tried, found = tried + len(batch), found + len(parts[-1])
    if found < wanted:
        raise ProtectError(
            f"{wanted} samples were asked for, but only {found} of {tried} that were tried hold on the model itself after "
            "rounding to 8 bits. Allow a larger change or more steps, ask for fewer samples, or bring more images"
        )
    return _joined(parts).take(slice(wanted))


def advance(progress: Progress, images: tuple[int, int, int], step: int, steps: int) -> None:
    """Progress in steps of single images: `images` are done, in work, and expected in all."""
    done, size, total = images
    progress(done * steps + size * step, total * steps)


def _joined(parts: Sequence[Samples]) -> Samples:
    originals = [part.originals for part in parts if part.originals is not None]
    return Samples(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.expected for part in parts]),
        np.concatenate([part.holds for part in parts]),
        np.concatenate(originals) if originals else None,
    )


def check_count(samples: int) -> None:
    """Raises UsageError where a claim would have no sample."""
    if samples < 1:
        raise UsageError(f"a claim needs one sample or more, got {samples}")


def check_contrast(what: str, owner: Owner) -> None:
    """Raises UsageError where the owner brings no surrogate or no reference; `what` needs them."""
    if not owner.surrogates or not owner.references:
        raise UsageError(
            f"{what} need one surrogate and one reference or more, got {len(owner.surrogates)} copies of the "
            f"model and {len(owner.references)} models trained independently of it: make or train them first"
        )


def frozen(model: nn.Module) -> nn.Module:
    """A copy to look at: in eval mode, none of its weights with a gradient."""
    return laid_out(copied(model).eval().requires_grad_(False))


def some(count: int, most: int, rng: torch.Generator) -> Rows:
    """At most `most` of `count` rows, in random order."""
    return torch.randperm(count, generator=rng)[:most].numpy()


def claimed(scheme: object, model: nn.Module, owner: Owner, samples: Samples, helpers: Sequence[nn.Module] = ()) -> Protected:
    """The model as it is, with a claim on the labels of all samples; `helpers` are the models that built it with the owner's."""
    claim = Claim(
        images=np.ascontiguousarray(samples.images[:, None]),
        tests=(Test(Reading.LABEL, Agreement(), samples.expected, float(samples.holds.mean())),),
        classes=owner.images.names,
        scheme=repr(scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        built_with=tuple(weights_digest(helper) for helper in helpers),
        originals=samples.originals,
    )
    return Protected(model, claim)
