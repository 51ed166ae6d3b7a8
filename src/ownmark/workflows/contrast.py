"""The models that a claim is made in contrast with: references, given or trained, and copies, each kept once it is made."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from ownmark.claims.doubt import Doubt
from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.weights import load_weights, save_weights, weights_digest
from ownmark.protocols import Attack, Owner, Progress, Scheme
from ownmark.tasks import DEFAULT, Quality
from ownmark.training import SHORTER, SMALL, Training, grows, seeded, train, train_growing
from ownmark.verdicts import soundness
from ownmark.workflows import measuring, side_by_side
from ownmark.workflows.watching import NOBODY, Watcher
from ownmark.workflows.workspace import Workspace

LONG = 2**28  # pixels of all epochs from which on references are trained side by side: half a minute for a small network
REFERENCES = 2  # models that are trained for contrast, unless it is said how many

References = tuple[nn.Module | Path, ...] | int


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
        images, task = measuring.few(joined.owner.images), joined.owner.images.task
        known = measuring.quality(model, images), task.trivial(images.labels)
        references = dict(zip(self._names, joined.references, strict=True))
        copied = ((f"the copy {kind}", one) for kind, one in zip(self.surrogates, joined.owner.surrogates, strict=True))
        copies = {name: _measured(name, one, images) for name, one in copied}
        return (*soundness.of_references(task, *known, references), *soundness.of_surrogates(task, *known, copies))

    def surrogate(self, work: Workspace, model: nn.Module, images: Images, digest: str, kind: str) -> nn.Module:
        """One copy, made with a few of the images, as many as a thief may have, and kept in the workspace."""
        make = partial(self.surrogates[kind].apply, model, measuring.few(images), work.generator(kind))
        return work.kept(self._copying(model, digest, kind), f"Making a copy: {kind}", make)

    def _copying(self, model: nn.Module, digest: str, kind: str) -> str:
        return f"{self.surrogates[kind]} of {weights_digest(model)} on {measuring.MEASURED} of {digest}"

    def _references(self, work: Workspace, images: Images, digest: str) -> tuple[nn.Module, ...]:
        """The owner's other models, given or trained now."""
        if isinstance(self.references, int):
            return tuple(self.trained(work, images, digest, name) for name in self._names)
        return tuple(work.network.filled(one, work.watcher.note) for one in self.references)

    def _measured(self, watcher: Watcher, references: Sequence[nn.Module], images: Images) -> tuple[Quality, ...]:
        """How good each reference is, which is told; each must take the same images. Raises ModelError."""
        found, asked = [], measuring.few(images)
        for name, model in zip(self._names, references, strict=True):
            found.append(_measured(name, model, asked))
            watcher.note(f"  {name}: {measuring.shown(found[-1], images.task.headline)}")
        return tuple(found)

    @property
    def _names(self) -> list[str]:
        """Of the references: a given file's, or which of them it is."""
        given = (None,) * self.references if isinstance(self.references, int) else self.references
        return [str(one) if isinstance(one, Path) else f"reference {place} of {len(given)}" for place, one in enumerate(given, 1)]

    def _make_ahead(self, work: Workspace, model: nn.Module, images: Images, digest: str) -> None:
        """Trains what is missing side by side, where that takes long enough to be worth it; it is then found in the workspace."""
        trained = self._names if isinstance(self.references, int) else []
        names = [name for name in trained if not work.has(self._recipe(digest, name))]
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
        return measuring.quality(model, images)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
