"""What a scheme has finished lies in the owner's workspace, so that a run that was cut short goes on from there."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load, save
from torch import nn

from ownmark.errors import ModelError
from ownmark.files import write_whole
from ownmark.models.weights import load_weights, save_weights, weights_digest
from ownmark.protocols import Owner
from ownmark.tasks import DEFAULT

Made = dict[str, npt.NDArray[Any]]
STATE = "rng"  # the array that holds the state of the random numbers after a batch


@dataclass(frozen=True)
class Resume:
    """Batches of samples, one file each, whose names begin with `place`; None: nothing is kept.

    `rng`: random numbers that run through all batches; where a batch is read, they go on from where it ended.
    """

    place: Path | None = None
    rng: torch.Generator | None = None

    @classmethod
    def of(cls, scheme: object, model: nn.Module, owner: Owner, rng: torch.Generator) -> "Resume":
        """For batches that share the random numbers `rng`."""
        if owner.workspace is None:
            return cls()
        start = hashlib.sha256(rng.get_state().numpy().tobytes()).hexdigest()
        return cls(owner.workspace / identity(scheme, model, owner, start), rng)

    @classmethod
    def seeded(cls, scheme: object, model: nn.Module, owner: Owner, seed: int) -> "Resume":
        """For batches that each have random numbers of their own, from `seed` and their number."""
        return cls(owner.workspace and owner.workspace / identity(scheme, model, owner, seed))

    def batch(self, number: int, make: Callable[[], Made]) -> Made:
        """What `make` gives for batch `number`, read if it was made before; a damaged file is made again."""
        if self.place is None:
            return make()
        file = self.place.with_name(f"{self.place.name}-{number}.safetensors")
        try:
            found = dict(load(file.read_bytes()))
        except (OSError, SafetensorError):
            made = make() | ({} if self.rng is None else {STATE: self.rng.get_state().numpy()})
            found = {name: np.ascontiguousarray(array) for name, array in made.items()}  # safetensors writes memory as it lies
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, save(found))
        state = found.pop(STATE, None)
        if self.rng is not None and state is not None:
            self.rng.set_state(torch.from_numpy(state.copy()))
        return found


def kept_weights(model: nn.Module, file: Path | None, change: Callable[[], object]) -> None:
    """Change `model` in place, or read the weights that the same change gave it before a run was cut short."""
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
    """Digest of all that decides what a batch becomes; `start`: where the random numbers begin."""
    helpers = [weights_digest(one) for one in (model, *owner.surrogates, *owner.references)]
    pixels = hashlib.sha256(owner.images.pixels.tobytes() + owner.images.labels.tobytes()).hexdigest()
    task = "" if owner.images.task == DEFAULT else f" {owner.images.task}"
    return hashlib.sha256(f"{scheme} {helpers} {pixels} {start}{task}".encode()).hexdigest()[:16]
