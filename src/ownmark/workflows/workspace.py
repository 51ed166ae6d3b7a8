"""The folder that keeps what is finished of a long piece of work, so that the same request goes on after an interruption."""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ownmark.errors import ModelError
from ownmark.keys import KEY_BYTES
from ownmark.models.network import Network
from ownmark.models.weights import load_weights, save_weights
from ownmark.protocols import Progress
from ownmark.workflows.watching import Watcher

KEY_SUFFIX = ".key"  # of a random key


@dataclass(frozen=True)
class Workspace:
    """What one request finished, in a `folder`: models of a `network` and a random key, all of one `seed`."""

    folder: Path
    network: Network
    seed: int
    watcher: Watcher

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
        whole = f"{recipe} {self.network} seed={self.seed} torch={torch.__version__}"
        file = self.folder / f"model-{hashlib.sha256(whole.encode()).hexdigest()[:16]}.safetensors"
        with suppress(ModelError):
            return load_weights(self.network.blank(), file)
        self.folder.mkdir(exist_ok=True)
        with self.watcher.step(title) as progress:
            made = make(progress)
        if not all(bool(tensor.isfinite().all()) for tensor in made.state_dict().values()):
            raise ModelError(f"{title}: the training diverged, so that its weights are NaN or infinite; are the images in order?")
        save_weights(made, file)
        return load_weights(self.network.blank(), file)

    def drawn_key(self, purpose: str) -> bytes:
        """A random key (32 bytes) for one purpose, kept in the folder until the claim is made, for the owner's eyes only."""
        whole = f"{purpose} seed={self.seed}"
        file = self.folder / f"{hashlib.sha256(whole.encode()).hexdigest()[:16]}{KEY_SUFFIX}"
        self.folder.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        if file.stat().st_size != KEY_BYTES:
            file.write_bytes(os.urandom(KEY_BYTES))
        return file.read_bytes()

    def tell_kept(self, what_for: str) -> None:
        """Say that the work stopped, and what the folder is good for."""
        if self.folder.is_dir():
            self.watcher.warn(f"Stopped. What is finished lies in {self.folder}: {what_for}.")

    def clear(self) -> None:
        """Remove what this package put into the folder, and the folder if nothing else is in it."""
        for pattern in ("*.safetensors", ".*.safetensors.*", f"*{KEY_SUFFIX}"):
            for file in self.folder.glob(pattern):
                file.unlink(missing_ok=True)
        with suppress(OSError):
            self.folder.rmdir()
