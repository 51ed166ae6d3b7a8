"""What a bench makes before anybody is asked: images, models, copies of models, claims; each a value that knows what it needs.

The specification of a copy names the stolen model by the digest of its weights. So all fingerprints of one model share its
copies, and the copies of a watermarked model are its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from safetensors.numpy import save as save_arrays
from safetensors.torch import save as save_tensors
from torch import nn

from ownmark.bench.image_places import resolved, stamp
from ownmark.bench.store import Made, Specification, Store
from ownmark.claims.claim import Claim
from ownmark.data.images import Images, load
from ownmark.errors import ModelError
from ownmark.models.memory_format import plain_copy
from ownmark.models.weights import weights_digest
from ownmark.protocols import Attack, Owner, Scheme, silent
from ownmark.scoring.null_models import KeyedLabels
from ownmark.suspects.local import Local
from ownmark.tasks import Classification, Task
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts.calibrate import calibrate

THIEF_SEED = 7  # which images a thief has is the same for all attacks
COMPARED = 16  # images on which a copy that was read back must answer as it did


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
    """Something that is made once: a frozen dataclass."""

    @property
    def needs(self) -> tuple[Making, ...]:
        """What must be made before it."""

    def specification(self, zoo: Cache) -> Specification:
        """All that decides what comes out."""

    def make(self, zoo: Cache) -> Made:
        """Make it, from what the zoo holds."""


@dataclass(frozen=True)
class Pictures:
    """Images of one split of a place, as `data.load` names it, `${VARIABLE}` and all."""

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
    """What the models of one task have in common; `network` is a name as `models.named` reads it."""

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
    """What an attack makes of a stolen model with a share of the training images."""

    stolen: Fresh | Claimed
    attack: Attack
    share: float
    seed: int

    @property
    def setting(self) -> Setting:
        return self.stolen.setting

    @property
    def needs(self) -> tuple[Making, ...]:
        return (self.stolen,)

    def specification(self, zoo: Cache) -> Specification:
        return {
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
        """Raises ModelError for a copy of which weights alone would not be the whole."""
        stolen, thief = zoo.model(self.stolen), zoo.thief(self.setting, self.share)
        model = self.attack.apply(stolen, thief, torch.Generator().manual_seed(self.seed), silent)
        few, again = thief.take(range(min(COMPARED, len(thief)))), zoo.blank(self.setting)
        try:
            again.load_state_dict(model.state_dict())
        except RuntimeError as error:
            raise ModelError(f"what {self.attack} makes is another network, which its weights alone do not describe") from error
        if not torch.allclose(predict(model, few), predict(again, few), rtol=1e-3, atol=1e-3):
            raise ModelError(f"what {self.attack} makes is more than its weights, so that a file of weights cannot keep it")
        return weights_of(model)


@dataclass(frozen=True)
class Claimed:
    """A scheme's claim on a target, with the marked model if the scheme marks it.

    `owner` is the word that a watermark's key is drawn from, with the seed: a bench has no secrets.
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
    """A claim that innocent models have been shown; one whose labels are keyed needs none and stays as it is."""

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
        if not all(isinstance(test.null, KeyedLabels) for test in claim.tests):
            claim = calibrate(claim, [Local(zoo.model(one)) for one in self.innocents])
        return Made({"claim": claim.digest}, {"claim": claim.to_bytes()})


@dataclass(frozen=True)
class Measured:
    """How good a model is on images that it was not trained on."""

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
    """A model's weights as what is kept of it."""
    tensors = {name: plain_copy(tensor) for name, tensor in model.state_dict().items()}
    return Made({"weights": weights_digest(model)}, {"safetensors": save_tensors(tensors)})
