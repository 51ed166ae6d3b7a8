"""The models that a workflow makes, measures and keeps in a folder, so that the same request goes on after an interruption."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ownmark.claims.doubt import Doubt
from ownmark.data.images import Images, Split
from ownmark.errors import ModelError, OwnmarkError, UsageError
from ownmark.files import check_writable
from ownmark.keys import KEY_BYTES
from ownmark.models.accelerator import is_narrow
from ownmark.models.network import Network
from ownmark.models.weights import is_finite, load_weights, save_weights, weights_digest
from ownmark.protocols import Attack, Owner, Progress, Scheme
from ownmark.querying.outputs import ONE_TENSOR, unfit
from ownmark.report.words import percent
from ownmark.suspects.open import KINDS
from ownmark.tasks import DEFAULT, Quality
from ownmark.training import SHORTER, SMALL, Training, grows, predict, seeded, train, train_growing
from ownmark.verdicts import soundness
from ownmark.workflows import side_by_side
from ownmark.workflows.watching import NOBODY, Watcher


def correct(model: nn.Module, images: Images) -> float:
    """The share of images that a classifier answers as they are labelled."""
    return quality(model, images)["accuracy"]


def quality(model: nn.Module, images: Images) -> Quality:
    """How good the model is on the images, by the figures of their task.

    Raises ModelError if it cannot take them, or answers what another task has.
    """
    try:
        answers = predict(model, images)
    except OwnmarkError:
        raise
    except Exception as error:  # a user's model may raise anything
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        height, width, channels = images.size
        cannot = f"the model cannot take images of {width}x{height} pixels and {channels} channels"
        raise ModelError(f"{cannot} (set --size, and --channels to 1 for grey images or 3): {said}. {ONE_TENSOR}") from error
    numbers = images.task.width(images.names)
    if images.task.located:
        return _of_boxes(images, answers)
    if answers.ndim != 2 or len(answers) != len(images) or answers.shape[1] != (numbers or answers.shape[1]):  # noqa: PLR2004
        if why := unfit(answers.shape):
            raise ModelError(f"the model cannot be asked: {why}")
        needed = f"({len(images)}, {numbers})" if numbers else f"({len(images)}, d)"
        raise ModelError(
            f"the model answers {tuple(answers.shape)} to these images, expected {needed}: one number "
            f"per {'class' if len(images.names) > 1 else 'image'} for {images.task.name}; say another --task if it does another"
        )
    if not answers.isfinite().all():
        raise ModelError("the model answers NaN or infinity: its weights or its preprocessing (--mean, --std) are broken")
    return images.task.quality(answers.numpy(), images.labels)


def _of_boxes(images: Images, answers: torch.Tensor) -> Quality:
    """The same for detections (n, q, 6)."""
    if answers.ndim != 3 or not answers.isfinite().all():  # noqa: PLR2004 - (n, q, 6)
        raise ModelError(
            f"the model answers {tuple(answers.shape)} to these images, expected finite boxes, labels and scores per image, as "
            "torchvision's detectors answer them; say another --task if it does another"
        )
    return images.task.quality(answers.numpy(), images.labels)


def few(images: Images) -> Images:
    """At most `MEASURED` of the images, from everywhere; all where images are compared with each other."""
    if images.task.compares or len(images) <= MEASURED:
        return images
    return images.take(np.linspace(0, len(images) - 1, MEASURED).round().astype(np.int64))


def shortened(whole: Split) -> Split:
    """The same images to work with, and a few of them to measure on."""
    enough = few(whole.mine)
    return whole if enough is whole.mine else replace(whole, held_out=enough, origin="of those that are given")


def shown(found: Quality, headline: str) -> str:
    """How good a model is, as a person says it."""
    value = found[headline]
    said = {
        "accuracy": f"{percent(value)} right",
        "mae": f"off by {value:.3g} on average",
        "map_50": f"mean average precision {value:.3g} at an overlap of 0.5",
    }
    return said.get(headline, f"{percent(value)} of pairs of the same accepted where 1 in 1,000 other pairs is")


LONG = 2**28  # pixels of all epochs from which on references are trained side by side: half a minute for a small network
REFERENCES = 2  # models that are trained for contrast, unless it is said how many
MEASURED = 2000  # images on which a fingerprint's model, references and copies are measured, and with which copies are made
KEY_SUFFIX = ".key"  # of a random key


@dataclass(frozen=True)
class Workspace:
    """What one request finished, in a `folder`: models of a `network` and a random key, all of one `seed`.

    `cache`: a folder where models stay for later requests, None: they go when the request is done.
    """

    folder: Path
    network: Network
    seed: int
    watcher: Watcher
    cache: Path | None = None

    @property
    def used(self) -> bool:
        """Whether something lies there."""
        return self.folder.is_dir() and any(self.folder.iterdir())

    def generator(self, purpose: str) -> torch.Generator:
        """A stream of random numbers of its own for each purpose, so that no step depends on which steps were skipped."""
        digest = hashlib.sha256(f"{purpose} of seed {self.seed}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def kept(self, recipe: str, title: str, make: Callable[[Progress], nn.Module]) -> nn.Module:
        """What `make` gives, from the folder if the same recipe was finished there before. Raises ModelError if it diverged."""
        file = self.file(recipe)
        for place in self.places(recipe):
            with suppress(ModelError):
                return load_weights(self.network.blank(own=False), place)
        file.parent.mkdir(parents=True, exist_ok=True)
        with self.watcher.step(title) as progress:
            made = make(progress)
        if not is_finite(made):
            raise ModelError(f"{title}: the training diverged, so that its weights are NaN or infinite; are the images in order?")
        save_weights(made, file)
        return load_weights(self.network.blank(own=False), file)

    def file(self, recipe: str) -> Path:
        """Where the model of that recipe lies once it is made: in the cache, if there is one."""
        return self.places(recipe)[-1]

    def places(self, recipe: str) -> tuple[Path, ...]:
        """Where it may lie: in the folder, in the cache. A cache outlives changes of the code that builds the network."""
        whole = f"{recipe} {self.network} seed={self.seed} torch={torch.__version__}"
        whole += " precision=mixed" if is_narrow(self.network.device) else ""
        here = self.folder / f"model-{_short(whole)}.safetensors"
        if self.cache is None:
            return (here,)
        return here, self.cache / f"model-{_short(f'{whole} {self.network.blank(own=False)}')}.safetensors"

    def has(self, recipe: str) -> bool:
        """Whether the model of that recipe lies somewhere."""
        return any(place.exists() for place in self.places(recipe))

    def drawn_key(self, purpose: str) -> bytes:
        """A random key (32 bytes) for one purpose, kept in the folder until the claim is made, for the owner's eyes only."""
        whole = f"{purpose} seed={self.seed}"
        file = self.folder / f"{_short(whole)}{KEY_SUFFIX}"
        self.folder.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        if file.stat().st_size != KEY_BYTES:
            file.write_bytes(os.urandom(KEY_BYTES))
        return file.read_bytes()

    def tell_kept(self, what_for: str) -> None:
        """Say that the work stopped, and what the folder is good for, if anything lies there."""
        if not self.used:
            return
        if all(file.suffix == KEY_SUFFIX for file in self.folder.iterdir()):
            self.watcher.warn(
                f"Stopped. Only the key is kept in {self.folder}: the next run trains anew, with the same triggers."
            )
        else:
            self.watcher.warn(f"Stopped. Finished work is kept in {self.folder}: {what_for}.")

    def clear(self) -> None:
        """Remove what this package put into the folder, and the folder if nothing else is in it."""
        for pattern in ("*.safetensors", ".*.safetensors.*", f"*{KEY_SUFFIX}"):
            for file in self.folder.glob(pattern):
                file.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


References = tuple[nn.Module | Path, ...] | int


def check_weights(file: Path) -> None:
    """Raises UsageError unless weights can be written to `file`, by a name that is not another format's."""
    check_writable(file)
    kind = next((kind for kind in KINDS if not kind.built and file.suffix in kind.suffixes), None)
    if kind is not None:
        better = file.with_suffix(".safetensors").name
        raise UsageError(f"weights are written as safetensors, and {file} would be taken for {kind.written}: name it {better}")


def may_grow(scheme: Scheme, asked: References | None = None) -> bool:
    """Whether references may be trained otherwise than the model, in less time; never where their number was `asked` for.

    Where a scheme names how many references it needs, it compares answers, which show how a model was trained.
    """
    return asked is None and not scheme.needs.references


def wanted_references(scheme: Scheme, model: nn.Module, images: Images, asked: References | None = None) -> References:
    """Which references are `asked` for; else how many to train: as many as the scheme names, which cannot do with fewer, or two.

    Three where they are trained on images that grow, in less than half of the time; but two for a scheme that `chooses` samples.
    """
    if asked is not None:
        return asked
    if not may_grow(scheme):
        return scheme.needs.references
    return REFERENCES + 1 if grows(model, images) and not scheme.needs.chooses else REFERENCES


@dataclass(frozen=True)
class Joined:
    """An owner with references and copies, and how good each of the references is."""

    owner: Owner
    references: tuple[Quality, ...]


@dataclass(frozen=True)
class Others:
    """Which other models: `references` as modules, as files of weights, or how many to train as `training` says.

    `surrogates`: by the name of each kind of copy, the attack that makes it; `growing`: references may be trained on images
    that grow.
    """

    references: References
    training: Training
    surrogates: Mapping[str, Attack]
    growing: bool = True

    def joined(self, work: Workspace, model: nn.Module, owner: Owner) -> Joined:
        """The owner with copies of the model and models that are none, which are measured before the copies are made."""
        images = owner.images
        digest = hashlib.sha256(images.pixels.tobytes() + images.labels.tobytes()).hexdigest()
        digest += "" if images.task == DEFAULT else f" for {images.task}"
        self._make_ahead(work, model, images, digest)
        references = self._references(work, images, digest)
        measured = self._measured(work.watcher, references, images)
        if weights_digest(model) in map(weights_digest, references):
            raise UsageError("a reference is the protected model itself; references are models that were trained independently")
        surrogates = tuple(self.surrogate(work, model, images, digest, kind) for kind in self.surrogates)
        if work.cache is not None and work.cache.is_dir():
            bytes_kept = sum(file.stat().st_size for file in work.cache.glob("model-*.safetensors"))
            work.watcher.note(f"The references and copies stay in {work.cache}, now {bytes_kept / 2**20:.1f} MiB.")
        return Joined(replace(owner, surrogates=surrogates, references=references), measured)

    def doubted(self, model: nn.Module, joined: Joined) -> tuple[Doubt, ...]:
        """What speaks against the owner's references and copies, before the long step begins. Raises ProtectError for ruins."""
        images, task = few(joined.owner.images), joined.owner.images.task
        known = quality(model, images), task.trivial(images.labels)
        references = {f"reference {place}": found for place, found in enumerate(joined.references, start=1)}
        copied = ((f"the copy {kind}", one) for kind, one in zip(self.surrogates, joined.owner.surrogates, strict=True))
        copies = {name: _measured(name, one, images) for name, one in copied}
        return (*soundness.of_references(task, *known, references), *soundness.of_surrogates(task, *known, copies))

    def surrogate(self, work: Workspace, model: nn.Module, images: Images, digest: str, kind: str) -> nn.Module:
        """One copy, made with a few of the images, as many as a thief may have, and kept in the workspace."""
        make = partial(self.surrogates[kind].apply, model, few(images), work.generator(kind))
        return work.kept(self._copying(model, digest, kind), f"Making a copy: {kind}", make)

    def _copying(self, model: nn.Module, digest: str, kind: str) -> str:
        return f"{self.surrogates[kind]} of {weights_digest(model)} on {MEASURED} of {digest}"

    def _references(self, work: Workspace, images: Images, digest: str) -> tuple[nn.Module, ...]:
        """The owner's other models, given or trained now."""
        if isinstance(self.references, int):
            return tuple(self.trained(work, images, digest, name) for name in self._names)
        return tuple(work.network.filled(one, work.watcher.note) for one in self.references)

    def _measured(self, watcher: Watcher, references: Sequence[nn.Module], images: Images) -> tuple[Quality, ...]:
        """How good each reference is, which is told; each must take the same images. Raises ModelError."""
        given = () if isinstance(self.references, int) else enumerate(self.references, start=1)
        names = [str(one) if isinstance(one, Path) else f"reference {place}" for place, one in given] or self._names
        found, asked = [], few(images)
        for name, model in zip(names, references, strict=True):
            found.append(_measured(name, model, asked))
            watcher.note(f"  {name}: {shown(found[-1], images.task.headline)}")
        return tuple(found)

    @property
    def _names(self) -> list[str]:
        """Of the references that are trained, if any are."""
        count = self.references if isinstance(self.references, int) else 0
        return [f"reference {place} of {count}" for place in range(1, count + 1)]

    def _make_ahead(self, work: Workspace, model: nn.Module, images: Images, digest: str) -> None:
        """Trains what is missing side by side, where that takes long enough to be worth it; it is then found in the workspace."""
        names = [name for name in self._names if not work.has(self._recipe(digest, name))]
        kinds = [kind for kind in self.surrogates if not work.has(self._copying(model, digest, kind))]
        trains = {kind: getattr(self.surrogates[kind], "epochs", 0) for kind in kinds}
        epochs = self.training.epochs * len(names) + sum(trains.values())
        slow = [kind for kind in kinds if trains[kind]]
        workers = side_by_side.workers(len(names) + len(slow))
        if images.pixels.size * epochs < LONG or work.network.device.type != "cpu" or workers < 2:  # noqa: PLR2004 - side by side
            return
        quiet, given = replace(work, watcher=NOBODY), work.folder / "model-given.safetensors"
        jobs: list[side_by_side.Job] = [partial(_trained_aside, self, quiet, images, digest, name) for name in names]
        jobs += [partial(_copied_aside, self, quiet, given, images, digest, kind) for kind in slow]
        given.parent.mkdir(exist_ok=True)
        save_weights(model, given)
        side_by_side.run(jobs, work.watcher, f"Training {len(jobs)} models side by side")

    def _recipe(self, digest: str, name: str) -> str:
        how = f"{self.training}, growing in {SHORTER}, small in {SMALL}" if self.growing else f"{self.training}"
        return f"{name.partition(' of ')[0]} {how}, on {digest}"

    def trained(self, work: Workspace, images: Images, digest: str, name: str) -> nn.Module:
        """One reference, kept in the workspace."""

        def make(progress: Progress) -> nn.Module:
            rng = work.generator(name)
            with seeded(rng):
                model = work.network.blank()
            return (train_growing if self.growing else train)(model, images, self.training, rng, progress)

        return work.kept(self._recipe(digest, name), f"Training {name}", make)


def _trained_aside(others: Others, work: Workspace, images: Images, digest: str, name: str, watcher: Watcher) -> None:
    """In a process of its own: leaves the model in the workspace's folder."""
    others.trained(replace(work, watcher=watcher), images, digest, name)


def _copied_aside(others: Others, work: Workspace, given: Path, images: Images, digest: str, kind: str, watcher: Watcher) -> None:
    """The same for a copy of the model whose weights are given."""
    model = load_weights(work.network.blank(own=False), given)
    others.surrogate(replace(work, watcher=watcher), model, images, digest, kind)


def _measured(name: str, model: nn.Module, images: Images) -> Quality:
    """How good one of the owner's other models is. Raises ModelError with its name where it is broken."""
    try:
        return quality(model, images)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
