"""What one request finished, kept in a folder, so that the same request goes on after an interruption."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ownmark.errors import ModelError, UsageError
from ownmark.files import check_writable
from ownmark.keys import KEY_BYTES
from ownmark.models.accelerator import is_narrow
from ownmark.models.network import Network
from ownmark.models.weights import is_finite, load_weights, save_weights
from ownmark.protocols import Progress
from ownmark.suspects.open import KINDS
from ownmark.workflows.watching import Watcher

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


def check_weights(file: Path) -> None:
    """Raises UsageError unless weights can be written to `file`, by a name that is not another format's."""
    check_writable(file)
    kind = next((kind for kind in KINDS if not kind.built and file.suffix in kind.suffixes), None)
    if kind is not None:
        better = file.with_suffix(".safetensors").name
        raise UsageError(f"weights are written as safetensors, and {file} would be taken for {kind.written}: name it {better}")
