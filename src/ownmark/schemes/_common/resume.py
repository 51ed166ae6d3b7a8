"""What a search or a training finished, in files of the owner's workspace, so that an interrupted one goes on from there."""

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

Made = dict[str, npt.NDArray[Any]]  # the arrays of a batch by name, one row per sample
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
