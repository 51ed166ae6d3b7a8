"""The search for samples that hold on the model after rounding, and the claim on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, inf

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.errors import ModelError, ProtectError, TooFewError, UsageError
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Made, Resume
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading

TRIES = 4  # candidates per requested sample before giving up
SURPLUS = 1.2  # candidates made at once per missing sample
TOGETHER = 64  # candidates in one batch

Rows = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Samples:
    """8-bit `images` (n, height, width, channels) with `expected` labels (n,), and whether each holds on the model.

    `originals`: the images that they were made from, or None.
    """

    images: Pixels
    expected: Rows
    holds: npt.NDArray[np.bool_]
    originals: Pixels | None = None

    @classmethod
    def checked(cls, model: nn.Module, changed: Tensor, aim: Tensor, originals: Pixels | None = None) -> "Samples":
        """Rounds float images (n, channels, height, width); an image holds if the rounded one still has its label in `aim`."""
        images = to_pixels(changed)
        with torch.no_grad():
            answers = model(to_unit(images, changed.device)).argmax(dim=1)
        return cls(images, aim.cpu().numpy(), (answers == aim).cpu().numpy(), originals)

    def __len__(self) -> int:
        return len(self.images)

    @property
    def arrays(self) -> Made:
        """The arrays by name, as stored in a file."""
        found: Made = {"images": self.images, "expected": self.expected, "holds": self.holds}
        return found if self.originals is None else found | {"originals": self.originals}


Make = Callable[[Rows, Progress], Samples]


@dataclass(frozen=True)
class Gathering:
    """Searches for `wanted` passing samples in batches of at most `together` candidates, best first.

    `make` turns candidates into named arrays with one row per sample; its number is the index of the first candidate.
    `passing` returns which samples of a batch (n,) pass; it also receives the first batch, which may set thresholds.
    `least`: the share of the first batch that must pass, so that a hopeless search ends early. `more`: samples beyond the wanted
    ones, to choose from, as far as there are candidates; 0: the first that pass. `tries`: candidates per wanted sample at most.
    """

    candidates: Rows
    wanted: int
    make: Callable[[Rows, int, Progress], Made]
    passing: Callable[[Made, Made], npt.NDArray[np.bool_]]
    together: int
    least: float = 0.0
    more: int = 0
    tries: float = inf

    def run(self, resume: Resume, progress: Progress = silent) -> tuple[Made, Made]:
        """The samples, or with `more` all that pass, and the first batch; batches stored in `resume` are reused.

        Raises ProtectError with the number that pass if there are too few.
        """
        if not len(self.candidates):
            raise ProtectError(
                "none of the images can become a sample, since the model answers none as it is labelled (a detector: finds no "
                "object that fits a labelled one and leaves room for the corner): provide more images or a better-trained model"
            )
        parts: list[Made] = []
        first: Made = {}
        tried, found, most = 0, 0, self.wanted + self.more
        while found < most and tried < len(self.candidates):
            left = ceil(SURPLUS * (most - found))
            batch = self.candidates[tried : tried + min(self.together, left)]
            tell = partial(advance, progress, (tried, len(batch), tried + max(left, len(batch))))
            made = resume.batch(tried, partial(self.make, batch, tried, tell))
            first = first or made
            passed = self.passing(made, first)
            parts.append({name: array[passed] for name, array in made.items()})
            tried, found = tried + len(batch), found + int(passed.sum())
            if made is first and passed.mean() < self.least:
                break
        if found < self.wanted:
            raise self._too_few(found, tried)
        kept = found if self.more else self.wanted
        return {name: np.concatenate([part[name] for part in parts])[:kept] for name in parts[0]}, first

    def _too_few(self, found: int, tried: int) -> ProtectError:
        """Fewer samples get fewer candidates, in proportion: they help only where enough of these hold."""
        told = f"expected {self.wanted} samples, but only {found} of {tried} candidates hold on the model itself after rounding"
        better = "provide more images or a better-trained model"
        if found and found * self.tries >= tried:
            more = "Allow a larger change (a larger bound) or more steps, ask for fewer samples, or"
            return TooFewError(f"{told} to 8 bits. {more} {better}", found)
        return ProtectError(
            f"{told} to 8 bits, too small a share for any number of samples. Allow a larger change (a larger bound) or "
            f"more steps, or {better}"
        )


def gathered(
    candidates: Rows,
    wanted: int,
    make: Make,
    progress: Progress = silent,
    resume: Resume = Resume(),
    together: int | None = None,
    tries: float = inf,
) -> Samples:
    """The first `wanted` holding samples that `make` returns for the candidates. Raises ProtectError like `Gathering`."""

    def arrays(rows: Rows, _: int, tell: Progress) -> Made:
        return make(rows, tell).arrays

    search = Gathering(candidates, wanted, arrays, lambda made, _: made["holds"], together or TOGETHER, tries=tries)
    found, _ = search.run(resume, progress)
    return Samples(found["images"], found["expected"], found["holds"], found.get("originals"))


def advance(progress: Progress, images: tuple[int, int, int], step: int, steps: int) -> None:
    """Progress in steps of single images: numbers of images done, in progress, and expected in total."""
    done, size, total = images
    progress(done * steps + size * step, total * steps)


def check_count(samples: int) -> None:
    """Raises UsageError if a claim would have no sample."""
    if samples < 1:
        raise UsageError(f"expected at least one sample, got {samples}")


def check_contrast(what: str, owner: Owner) -> None:
    """Raises UsageError if the owner has no surrogate or no reference, which `what` needs."""
    if not owner.surrogates or not owner.references:
        raise UsageError(
            f"{what} need at least one surrogate and one reference, got {len(owner.surrogates)} copies of the "
            f"model and {len(owner.references)} models trained independently of it: make or train them first"
        )


def some(count: int, most: int, rng: torch.Generator) -> Rows:
    """At most `most` of `count` rows, in random order."""
    return torch.randperm(count, generator=rng)[:most].numpy()


def claimed(scheme: object, model: nn.Module, owner: Owner, samples: Samples, helpers: Sequence[nn.Module] = ()) -> Protected:
    """The unchanged model with a claim on the labels of all samples; `helpers`: models that helped to make the samples."""
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


def check_model(model: nn.Module, images: Images) -> torch.device:
    """The model's single device. Raises ModelError if it has none or several, UsageError if its outputs do not fit."""
    if not images.task.discrete:
        raise UsageError(f"label-based schemes support only classification, but these images are for {images.task.name}")
    devices = {tensor.device for tensor in (*model.parameters(), *model.buffers())}
    if len(devices) != 1 or next(iter(devices)).type == "meta":
        places = ", ".join(sorted(map(str, devices))) or "none"
        raise ModelError(f"expected all weights on one device, got {places}; move the model first")
    device = next(iter(devices))
    with torch.no_grad():
        height, width, channels = images.size
        answer = model(torch.zeros(2, channels, height, width, device=device))
    if answer.shape != (2, len(images.names)):
        raise UsageError(
            f"the images have {len(images.names)} classes, but the model outputs {tuple(answer.shape)} for 2 images: "
            "trigger labels would be out of range"
        )
    return device
