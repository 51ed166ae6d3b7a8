"""Artifacts that a bench makes before any query (images, models, copies, claims), each with its dependencies.

The specification of a copy identifies the stolen model by the digest of its weights. All fingerprints of one model therefore
share its copies, while a watermarked model has its own copies.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from torch import nn

from ownmark.attacks._common.sources import sources
from ownmark.bench.store import Made, Specification, Store
from ownmark.claims.claim import Claim
from ownmark.data.image_places import resolved, stamp
from ownmark.data.images import Images, load
from ownmark.errors import ModelError
from ownmark.models.memory_format import laid_out, plain_copy
from ownmark.models.weights import is_finite, weights_digest
from ownmark.protocols import Attack, Owner, Scheme, silent
from ownmark.suspects.local import Local
from ownmark.tasks import Classification, Task
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts.calibrate import calibrate

THIEF_SEED = 7  # a thief has the same images for all attacks
COMPARED = 16  # images on which a reloaded copy must give the same outputs


class Cache(Protocol):
    """What a making asks of whoever keeps what has been made: it is made on the way where it is not there yet."""

    @property
    def store(self) -> Store:
        """Where it is kept."""

    def facts(self, making: Making) -> dict[str, Any]:
        """What is known of it, as JSON data."""

    def weights(self, which: Model) -> str:
        """The digest of a model's weights."""

    def model(self, which: Model) -> nn.Module:
        """In eval mode; a fingerprint's model is its target."""

    def claim(self, which: Claimed | Calibrated) -> Claim:
        """As it was made, or calibrated."""

    def images(self, pictures: Pictures) -> Images:
        """The images of one split."""

    def thief(self, setting: Setting, share: float) -> Images:
        """The thief's part of the training images."""

    def blank(self, setting: Setting) -> nn.Module:
        """The setting's network with weights as its factory leaves them."""


class Making(Protocol):
    """An artifact that is made once: a frozen dataclass."""

    @property
    def needs(self) -> tuple[Making, ...]:
        """Its direct dependencies."""

    def specification(self, zoo: Cache) -> Specification:
        """Everything that determines the result."""

    def make(self, zoo: Cache) -> Made:
        """Makes it from its dependencies in the zoo."""


@dataclass(frozen=True)
class Pictures:
    """Images of one split of a place, as in `data.load`, with `${VARIABLE}` expanded."""

    place: str
    size: int | None = None
    channels: int = 3
    training: bool = True
    task: Task = Classification()

    @property
    def needs(self) -> tuple[Making, ...]:
        return ()

    def specification(self, zoo: Cache) -> Specification:  # noqa: ARG002 - the protocol's signature
        split = "train" if self.training else "test"
        asked = {"place": self.place, "size": self.size, "channels": self.channels, "split": split, "task": repr(self.task)}
        return {"kind": "images", **asked, "stamp": stamp(resolved(self.place))}

    def make(self, zoo: Cache) -> Made:  # noqa: ARG002 - the protocol's signature
        found = load(resolved(self.place), size=self.size, train=self.training, channels=self.channels, task=self.task)
        arrays = {"pixels": found.pixels, "labels": found.labels} | ({} if found.people is None else {"people": found.people})
        digest = hashlib.sha256(f"{self.task} {found.names} ".encode())
        for name, array in arrays.items():
            digest.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        data = save_arrays({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        return Made({"digest": digest.hexdigest(), "names": list(found.names), "count": len(found)}, {"safetensors": data})


@dataclass(frozen=True)
class Setting:
    """Settings shared by the models of one task; `network` is a name for `models.network`."""

    pictures: Pictures
    network: str
    training: Training


@dataclass(frozen=True)
class Fresh:
    """A model trained from a seed on all training images."""

    setting: Setting
    seed: int

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.setting.pictures,)

    def specification(self, zoo: Cache) -> Specification:
        return {
            "kind": "model",
            "images": zoo.facts(self.setting.pictures)["digest"],
            "network": self.setting.network,
            "architecture": hashlib.sha256(str(zoo.blank(self.setting)).encode()).hexdigest(),
            "training": repr(self.setting.training),
            "seed": self.seed,
            "torch": str(torch.__version__),
        }

    def make(self, zoo: Cache) -> Made:
        rng = torch.Generator().manual_seed(self.seed)
        with seeded(rng):
            model = zoo.blank(self.setting)
        return weights_of(train(model, zoo.images(self.setting.pictures), self.setting.training, rng))


@dataclass(frozen=True)
class Copied:
    """The result of an attack on a stolen model with a share of the training images."""

    stolen: Fresh | Claimed
    attack: Attack
    share: float
    seed: int

    @property
    def setting(self) -> Setting:
        """The stolen model's; a student of another architecture has its own network."""
        network = str(getattr(self.attack, "student", ""))
        return replace(self.stolen.setting, network=network) if network else self.stolen.setting

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.stolen,)

    def specification(self, zoo: Cache) -> Specification:
        """What an attack reads besides is only named if there is any."""
        read = sources(self.attack)
        return ({"sources": read} if read else {}) | {
            "kind": "copy",
            "stolen": zoo.weights(self.stolen),
            "attack": repr(self.attack),
            "images": zoo.facts(self.setting.pictures)["digest"],
            "share": self.share,
            "thief": THIEF_SEED,
            "seed": self.seed,
            "torch": str(torch.__version__),
        }

    def make(self, zoo: Cache) -> Made:
        """Raises ModelError for a copy that its weights, and how it runs, do not determine."""
        stolen, thief = zoo.model(self.stolen), zoo.thief(self.setting, self.share)
        model = self.attack.apply(stolen, thief, torch.Generator().manual_seed(self.seed), silent)
        if not is_finite(model):
            raise ModelError(f"{self.attack} diverged, so that its weights are NaN or infinite; try a lower rate")
        few, again = thief.take(range(min(COMPARED, len(thief)))), laid_out(zoo.blank(self.setting))  # as the zoo loads it
        try:
            again.load_state_dict(model.state_dict())
        except RuntimeError as error:
            raise ModelError(f"{self.attack} returns a different network, which its weights alone do not describe") from error
        if not torch.allclose(predict(model, few), predict(self.running(again, thief), few), rtol=1e-3, atol=1e-3):
            raise ModelError(f"{self.attack} returns more than weights, so a weights file cannot store it")
        made = weights_of(model)
        return Made({"weights": self._identity(zoo, made.facts["weights"])}, made.files) if self.runs else made

    @property
    def runs(self) -> bool:
        """Whether the attack decides how the copy runs, too, by its verb `running`."""
        return "running" in dir(self.attack)

    def running(self, model: nn.Module, thief: Images) -> nn.Module:
        """The copy as it runs, from its weights; for most attacks the same."""
        return self.attack.running(model, thief) if self.runs else model  # type: ignore[attr-defined]

    def _identity(self, zoo: Cache, digest: str) -> str:
        """What tells the copy from others with the same weights that run otherwise."""
        told = f"{digest} {self.attack!r} {zoo.facts(self.setting.pictures)['digest']} {self.share}"
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class Claimed:
    """A scheme's claim on a target, with the marked model if the scheme marks it.

    A watermark's key is derived from `owner` and the seed: a bench has no secrets.
    """

    target: Fresh
    scheme: Scheme
    seed: int
    owner: str
    references: tuple[Fresh, ...] = ()
    surrogates: tuple[Copied, ...] = ()

    @property
    def setting(self) -> Setting:
        return self.target.setting

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.target, *self.references, *self.surrogates)

    @property
    def key(self) -> bytes:
        return hashlib.sha256(f"{self.owner} {self.seed}".encode()).digest()

    def specification(self, zoo: Cache) -> Specification:
        return {
            "kind": "claim",
            "target": zoo.weights(self.target),
            "scheme": repr(self.scheme),
            "images": zoo.facts(self.setting.pictures)["digest"],
            "key": hashlib.sha256(self.key).hexdigest(),
            "references": [zoo.weights(one) for one in self.references],
            "surrogates": [zoo.weights(one) for one in self.surrogates],
            "seed": self.seed,
            "torch": str(torch.__version__),
        }

    def make(self, zoo: Cache) -> Made:
        target = zoo.model(self.target)
        owner = Owner(
            zoo.images(self.setting.pictures),
            tuple(map(zoo.model, self.surrogates)),
            tuple(map(zoo.model, self.references)),
            zoo.store.workspace,
            self.key,
        )
        made = self.scheme.protect(target, owner, torch.Generator().manual_seed(self.seed), silent)
        files = {"claim": made.claim.to_bytes()}
        if weights_digest(made.model) == zoo.weights(self.target):
            return Made({"weights": zoo.weights(self.target), "claim": made.claim.digest}, files)
        marked = weights_of(made.model)
        return Made({**marked.facts, "claim": made.claim.digest}, {**marked.files, **files})


@dataclass(frozen=True)
class Calibrated:
    """A claim calibrated on independent models; a claim with keyed labels needs none and is unchanged."""

    claimed: Claimed
    innocents: tuple[Fresh, ...]

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.claimed, *self.innocents)

    def specification(self, zoo: Cache) -> Specification:
        digests = [zoo.weights(one) for one in self.innocents]
        return {"kind": "calibrated", "claim": zoo.facts(self.claimed)["claim"], "innocents": digests}

    def make(self, zoo: Cache) -> Made:
        claim = zoo.claim(self.claimed)
        if not all(test.null.keyed is not None for test in claim.tests):
            claim = calibrate(claim, [Local(zoo.model(one)) for one in self.innocents])
        return Made({"claim": claim.digest}, {"claim": claim.to_bytes()})


@dataclass(frozen=True)
class Measured:
    """The quality of a model on images outside its training set."""

    model: Fresh | Copied | Claimed
    images: Pictures

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.model, self.images)

    def specification(self, zoo: Cache) -> Specification:
        return {"kind": "quality", "model": zoo.weights(self.model), "images": zoo.facts(self.images)["digest"]}

    def make(self, zoo: Cache) -> Made:
        images = zoo.images(self.images)
        return Made(images.task.quality(predict(zoo.model(self.model), images).numpy(), images.labels))


Model = Fresh | Copied | Claimed


def weights_of(model: nn.Module) -> Made:
    """A model's weights as stored."""
    tensors = {name: plain_copy(tensor) for name, tensor in model.state_dict().items()}
    return Made({"weights": weights_digest(model)}, {"safetensors": save_tensors(tensors)})
