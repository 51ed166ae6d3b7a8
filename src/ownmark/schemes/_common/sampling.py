"""Shared by schemes: the resumable search for samples that hold after rounding, and the claim on them or on triggers."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from math import ceil, inf
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import Tensor, nn

from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images, to_pixels, to_unit
from ownmark.errors import ModelError, ProtectError, TooFewError, UsageError
from ownmark.files import write_whole
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import load_weights, save_weights, weights_digest
from ownmark.protocols import Owner, Progress, Protected, silent
from ownmark.schemes._common.triggers import Triggers
from ownmark.scoring.matches import Agreement, Match, Score, scored
from ownmark.scoring.readings import Reading
from ownmark.tasks import DEFAULT
from ownmark.training import predict

Made = dict[str, npt.NDArray[Any]]
STATE = "rng"  # the array that holds the generator's state after a batch


@dataclass(frozen=True)
class Resume:
    """Batches of samples, one file per batch, with names that begin with `place`; None stores nothing.

    `rng`: one generator for all batches; after a stored batch is read, it continues from that batch's end.
    """

    place: Path | None = None
    rng: torch.Generator | None = None

    @classmethod
    def of(cls, scheme: object, model: nn.Module, owner: Owner, rng: torch.Generator) -> "Resume":
        """For batches that share the generator `rng`."""
        if owner.workspace is None:
            return cls()
        start = hashlib.sha256(rng.get_state().numpy().tobytes()).hexdigest()
        return cls(owner.workspace / identity(scheme, model, owner, start), rng)

    @classmethod
    def seeded(cls, scheme: object, model: nn.Module, owner: Owner, seed: int, together: int) -> "Resume":
        """For batches with one generator each, from `seed` and the batch number, of so many images `together`."""
        return cls(owner.workspace and owner.workspace / identity(scheme, model, owner, f"{seed} by {together}"))

    def batch(self, number: int, make: Callable[[], Made]) -> Made:
        """The result of `make` for batch `number`, read from its file if stored; a corrupt file is remade."""
        if self.place is None:
            return make()
        file = self.place.with_name(f"{self.place.name}-{number}.safetensors")
        try:
            found = dict(load(file.read_bytes()))
        except (OSError, SafetensorError):
            made = make() | ({} if self.rng is None else {STATE: self.rng.get_state().numpy()})
            found = {name: np.ascontiguousarray(array) for name, array in made.items()}  # safetensors ignores strides
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, save(found))
        state = found.pop(STATE, None)
        if self.rng is not None and state is not None:
            self.rng.set_state(torch.from_numpy(state.copy()))
        return found


def kept_weights(model: nn.Module, file: Path | None, change: Callable[[], object]) -> None:
    """Changes `model` in place, or loads the weights that the same change produced in an interrupted run."""
    if file is None:
        change()
        return
    try:
        load_weights(model, file)
    except ModelError:
        change()
        file.parent.mkdir(parents=True, exist_ok=True)
        save_weights(model, file)


def identity(scheme: object, model: nn.Module, owner: Owner, start: object) -> str:
    """Digest of everything that determines a batch; `start`: the generator's initial state."""
    helpers = [weights_digest(one) for one in (model, *owner.surrogates, *owner.references)]
    pixels = hashlib.sha256(owner.images.pixels.tobytes() + owner.images.labels.tobytes()).hexdigest()
    task = "" if owner.images.task == DEFAULT else f" {owner.images.task}"
    return hashlib.sha256(f"{scheme} {helpers} {pixels} {start}{task}".encode()).hexdigest()[:16]


CONFIDENCE = 0.95  # of the interval around a score
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


def survival(model: nn.Module, triggers: Triggers, rule: Match = Agreement()) -> float:
    """Share of the triggers whose answer by the model, in eval mode, counts by the rule: by default it is their label."""
    return float(np.mean(held(model, triggers, rule)[0]))


def held(model: nn.Module, triggers: Triggers, rule: Match) -> tuple[npt.NDArray[np.bool_], Score]:
    """Which triggers hold on the model, in eval mode, (n,), and the score."""
    names = tuple(map(str, range(int(triggers.labels.max()) + 1)))
    count, views = triggers.views.shape[:2]
    outputs = predict(model, Images(triggers.views.reshape(-1, *triggers.views.shape[2:]), triggers.labels.repeat(views), names))
    if not outputs.isfinite().all():
        raise ProtectError(
            "the marked model answers NaN or infinity: its training diverged (choose a smaller rate), unless it did so before"
        )
    answers = outputs.argmax(1) if rule.reading is Reading.LABEL else outputs.softmax(1)
    return scored(rule, answers.reshape(count, views, *answers.shape[1:]).numpy(), triggers.labels, CONFIDENCE)


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


def _stronger(scheme: object) -> str:
    """What makes the mark of a scheme hold better, by those parameters that it has."""
    known = {one.name for one in fields(scheme)} if is_dataclass(scheme) else set()
    ways = {
        "layers": "train more layers (layers)",
        "steps": "train longer (steps)",
        "training": "train longer (training=Training(epochs=...))",
        "emphasis": "give the mark more weight (emphasis)",
    }
    found = [said for name, said in ways.items() if name in known]
    return ", ".join([*found, "or use fewer triggers"]) if found else "use fewer triggers"


def marked(
    scheme: object, model: nn.Module, triggers: Triggers, owner: Owner, least: float, rule: Match = Agreement()
) -> Protected:
    """The marked model with its claim. Raises ProtectError if less than the share `least` of the triggers hold."""
    holding, score = held(model, triggers, rule)
    if holding.mean() < least:
        raise ProtectError(
            f"only {int(holding.sum())} of {len(triggers)} triggers hold on the marked model, less than the share "
            f"{least:g} required: {_stronger(scheme)}"
        )
    test = Test(rule.reading, rule, triggers.labels, score.value, null=triggers.null)
    claim = Claim(
        images=np.ascontiguousarray(triggers.views),
        tests=(test,),
        classes=owner.images.names,
        scheme=repr(scheme),
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        choices=triggers.choices,
    )
    return Protected(model, claim)
