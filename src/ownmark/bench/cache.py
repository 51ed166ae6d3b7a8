"""The zoo of a bench: loads stored artifacts and makes missing ones."""

from functools import partial
from typing import Any

import torch
from safetensors.numpy import load_file
from torch import nn

from ownmark.bench.artifacts import THIEF_SEED, Calibrated, Claimed, Copied, Making, Model, Pictures, Setting
from ownmark.bench.store import Entry, Specification, Store
from ownmark.claims.claim import Claim
from ownmark.data.images import Images, shares
from ownmark.models.accelerator import FULL, precision
from ownmark.models.memory_format import laid_out
from ownmark.models.network import Network
from ownmark.models.weights import load_weights

MOST_RUNNING = 32  # copies that are kept as they run, since converting one may take a quarter of a minute


class Zoo:
    """Artifacts by value, on one device: loaded from the store, or made if missing."""

    def __init__(self, store: Store, device: str = "cpu") -> None:
        self.store, self.device = store, torch.device(device)
        self._entries: dict[Making, Entry] = {}
        self._images: dict[Pictures, Images] = {}
        self._running: dict[Copied, nn.Module] = {}

    def entry(self, making: Making) -> Entry:
        """The entry of this artifact, after its dependencies are made."""
        if making not in self._entries:
            for needed in making.needs:
                self.entry(needed)
            self._entries[making] = self.store.kept(self._specification(making), partial(making.make, self))
        return self._entries[making]

    def found(self, making: Making) -> bool:
        """Whether it is stored already; makes nothing."""
        if making not in self._entries:
            entry = self.store.get(self._specification(making)) if all(map(self.found, making.needs)) else None
            if entry is None:
                return False
            self._entries[making] = entry
        return True

    def _specification(self, making: Making) -> Specification:
        """What may be made in narrow numbers is another artifact, also for a process without a GPU that only looks at it."""
        return {**making.specification(self), **({} if precision() == FULL else {"precision": precision()})}

    def images(self, pictures: Pictures) -> Images:
        if pictures not in self._images:
            arrays = load_file(self.entry(pictures).file("safetensors"))
            names = tuple(self.facts(pictures)["names"])
            self._images[pictures] = Images(arrays["pixels"], arrays["labels"], names, pictures.task, arrays.get("people"))
        return self._images[pictures]

    def model(self, which: Model) -> nn.Module:
        """The model in eval mode; a fingerprint's model is its target."""
        entry = self.entry(which)
        if isinstance(which, Claimed) and "safetensors" not in entry.record["files"]:
            return self.model(which.target)
        model = laid_out(load_weights(self.blank(which.setting), entry.file("safetensors")).to(self.device))
        if not isinstance(which, Copied) or not which.runs:
            return model
        if which not in self._running:
            while len(self._running) >= MOST_RUNNING:
                self._running.pop(next(iter(self._running)))
            self._running[which] = laid_out(which.running(model, self.thief(which.setting, which.share)))
        return self._running[which]

    def claim(self, which: Claimed | Calibrated) -> Claim:
        return Claim.load(self.entry(which).file("claim"))

    def weights(self, which: Model) -> str:
        """Digest of a model's weights."""
        return str(self.facts(which)["weights"])

    def facts(self, making: Making) -> dict[str, Any]:
        return dict(self.entry(making).facts)

    def blank(self, setting: Setting) -> nn.Module:
        """The setting's network with the weights that its source gives it; it normalises images if its name says how."""
        names = tuple(self.facts(setting.pictures)["names"])
        return Network(setting.network, setting.pictures.task.width(names), device=self.device).blank()

    def thief(self, setting: Setting, share: float) -> Images:
        """The thief's share of the training images."""
        images = self.images(setting.pictures)
        return images if share == 1 else shares(images, (share,), torch.Generator().manual_seed(THIEF_SEED))[0]
