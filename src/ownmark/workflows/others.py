"""The models that a fingerprint is made with: copies of the model to hold on, other models to be silent on."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import nn

from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.weights import weights_digest
from ownmark.protocols import Attack, Owner, Progress
from ownmark.tasks import DEFAULT, Quality
from ownmark.training import Training, seeded, train
from ownmark.verdicts import soundness
from ownmark.verdicts.soundness import Doubt
from ownmark.workflows.quality import quality, shown
from ownmark.workflows.workspace import Workspace


@dataclass(frozen=True)
class Others:
    """Which other models: `references` as modules, as files of weights, or how many to train as `training` says.

    `surrogates`: by the name of each kind of copy, the attack that makes it.
    """

    references: tuple[nn.Module | Path, ...] | int
    training: Training
    surrogates: Mapping[str, Attack]

    def joined(self, work: Workspace, model: nn.Module, owner: Owner) -> Owner:
        """The owner with copies of the model and models that are none."""
        images = owner.images
        digest = hashlib.sha256(images.pixels.tobytes() + images.labels.tobytes()).hexdigest()
        digest += "" if images.task == DEFAULT else f" for {images.task}"
        references = self._references(work, images, digest)
        if weights_digest(model) in map(weights_digest, references):
            raise UsageError("a reference is the protected model itself; references are models that were trained independently")
        surrogates = tuple(self._surrogate(work, model, images, digest, kind) for kind in self.surrogates)
        return replace(owner, surrogates=surrogates, references=references)

    def doubted(self, model: nn.Module, owner: Owner) -> tuple[Doubt, ...]:
        """What speaks against the owner's references and copies, before the long step begins. Raises ProtectError for ruins."""
        images, task = owner.images, owner.images.task
        known = quality(model, images), task.trivial(images.labels)
        named = ((f"reference {place}", one) for place, one in enumerate(owner.references, start=1))
        references = {name: _measured(name, one, images) for name, one in named}
        copied = ((f"the copy {kind}", one) for kind, one in zip(self.surrogates, owner.surrogates, strict=True))
        copies = {name: _measured(name, one, images) for name, one in copied}
        return (*soundness.of_references(task, *known, references), *soundness.of_surrogates(task, *known, copies))

    def _surrogate(self, work: Workspace, model: nn.Module, images: Images, digest: str, kind: str) -> nn.Module:
        attack = self.surrogates[kind]
        make = partial(attack.apply, model, images, work.generator(kind))
        return work.kept(f"{attack} of {weights_digest(model)} on {digest}", f"Making a copy: {kind}", make)

    def _references(self, work: Workspace, images: Images, digest: str) -> tuple[nn.Module, ...]:
        """The owner's other models, given or trained now; each must take the same images."""
        if isinstance(self.references, int):
            names = [f"reference {place} of {self.references}" for place in range(1, self.references + 1)]
            found = [self._trained(work, images, digest, name) for name in names]
        else:
            given = enumerate(self.references, start=1)
            names = [str(one) if isinstance(one, Path) else f"reference {place}" for place, one in given]
            found = [work.network.filled(one, work.watcher.note) for one in self.references]
        for name, model in zip(names, found, strict=True):
            work.watcher.note(f"  {name}: {shown(_measured(name, model, images), images.task.headline)}")
        return tuple(found)

    def _trained(self, work: Workspace, images: Images, digest: str, name: str) -> nn.Module:
        def make(progress: Progress) -> nn.Module:
            rng = work.generator(name)
            with seeded(rng):
                model = work.network.blank()
            return train(model, images, self.training, rng, progress)

        return work.kept(f"{name.partition(' of ')[0]} {self.training} on {digest}", f"Training {name}", make)


def _measured(name: str, model: nn.Module, images: Images) -> Quality:
    """How good one of the owner's other models is. Raises ModelError with its name where it is broken."""
    try:
        return quality(model, images)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
