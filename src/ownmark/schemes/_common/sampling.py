"""What fingerprints share: the search for samples that hold after rounding, and the claim on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import to_pixels, to_unit
from ownmark.errors import ProtectError, UsageError
from ownmark.models.copies import copied
from ownmark.models.memory_format import laid_out
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.schemes._common.resume import Made, Resume
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading

TRIES = 4  # candidates per sample that is asked for, before giving up
SURPLUS = 1.2  # candidates made at once per sample that is still wanted
TOGETHER = 64  # candidates in one batch

Rows = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.uint8]


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

    @property
    def arrays(self) -> Made:
        """By name, as they are kept in a file."""
        found: Made = {"images": self.images, "expected": self.expected, "holds": self.holds}
        return found if self.originals is None else found | {"originals": self.originals}


Make = Callable[[Rows, Progress], Samples]


@dataclass(frozen=True)
class Gathering:
    """The search for `wanted` samples that pass, batch by batch of at most `together` candidates, the best first.

    `make` gives what becomes of some candidates as named arrays of one row per sample; the number is that of the first of them.
    `passing` says which samples of a batch (n,) pass, beside the first batch of all, from which thresholds may come.
    """

    candidates: Rows
    wanted: int
    make: Callable[[Rows, int, Progress], Made]
    passing: Callable[[Made, Made], npt.NDArray[np.bool_]]
    together: int

    def run(self, resume: Resume, progress: Progress = silent) -> tuple[Made, Made]:
        """The samples, and the first batch; batches that `resume` has are not made again.

        Raises ProtectError, which says how many pass, where there are fewer.
        """
        parts: list[Made] = []
        first: Made = {}
        tried, found = 0, 0
        while found < self.wanted and tried < len(self.candidates):
            left = ceil(SURPLUS * (self.wanted - found))
            batch = self.candidates[tried : tried + min(self.together, left)]
            tell = partial(advance, progress, (tried, len(batch), tried + max(left, len(batch))))
            made = resume.batch(tried, partial(self.make, batch, tried, tell))
            first = first or made
            passed = self.passing(made, first)
            parts.append({name: array[passed] for name, array in made.items()})
            tried, found = tried + len(batch), found + int(passed.sum())
        if found < self.wanted:
            raise ProtectError(
                f"{self.wanted} samples were asked for, but only {found} of {tried} that were tried hold on the model itself "
                "after rounding to 8 bits. Allow a larger change (a larger bound) or more steps, ask for fewer samples, or "
                "bring more images or a model that is trained better"
            )
        return {name: np.concatenate([part[name] for part in parts])[: self.wanted] for name in parts[0]}, first


def gathered(candidates: Rows, wanted: int, make: Make, progress: Progress = silent, resume: Resume = Resume()) -> Samples:
    """The first `wanted` samples that hold of those that `make` gives for the candidates. Raises ProtectError as `Gathering`."""

    def arrays(rows: Rows, _: int, tell: Progress) -> Made:
        return make(rows, tell).arrays

    found, _ = Gathering(candidates, wanted, arrays, lambda made, _: made["holds"], TOGETHER).run(resume, progress)
    return Samples(found["images"], found["expected"], found["holds"], found.get("originals"))


def advance(progress: Progress, images: tuple[int, int, int], step: int, steps: int) -> None:
    """Progress in steps of single images: `images` are done, in work, and expected in all."""
    done, size, total = images
    progress(done * steps + size * step, total * steps)


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
