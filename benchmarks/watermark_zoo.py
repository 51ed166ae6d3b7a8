"""The models to mark: ResNet-18 on MNIST, CIFAR-10 and 100 classes of Tiny-ImageNet (in the place of CIFAR-100).

Each set has three targets (seeds 0 to 2), trained on all training images, and of each a copy marked by every scheme; the thief
of a fine-tuning or pruning has a tenth of the training images. `python benchmarks/watermark_zoo.py SET:SEED[:SCHEME] ...` makes
what is missing. Everything is made once and kept.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import torch
from torch import nn

from ownmark.claim import Claim
from ownmark.data import Images, load, shares
from ownmark.files import write_whole
from ownmark.metrics import accuracy
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Owner, Scheme, silent
from ownmark.schemes.entangled import Entangled
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.trigger_set import TriggerSet
from ownmark.schemes.zhang import Zhang
from ownmark.training import Training, predict, seeded, train
from ownmark.triggers import Triggers
from ownmark.watermark import survival
from realdata import unpacked
from zoo import FOLDER, kept

THIEF_SHARE = 0.1
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))
WORK = FOLDER.parent / "watermark"  # claims, and what was measured of each marked model


@dataclass(frozen=True)
class Setting:
    """One set: what `load` calls it, the network's width, and how it is trained."""

    place: str
    classes: int
    channels: int
    width: int
    training: Training

    def blank(self) -> nn.Module:
        """The network, not yet trained."""
        return ResNet18(self.classes, width=self.width, channels=self.channels, stem="cifar")

    def fresh(self, images: Images, rng: torch.Generator) -> nn.Module:
        """The network trained on `images`."""
        with seeded(rng):
            model = self.blank()
        return train(model, images, self.training, rng)


SETTINGS: Mapping[str, Setting] = {
    "mnist": Setting("torchvision:MNIST", 10, 1, 8, Training(epochs=4, batch=128, flips=False, shift=2)),
    "cifar10": Setting("cifar10", 10, 3, 16, Training(epochs=10, batch=128)),
    "tinyimagenet100": Setting("tinyimagenet100", 100, 3, 16, Training(epochs=14, batch=64)),
}


@cache
def images(name: str, *, training: bool) -> Images:
    """All images of one split; read from their files once, then kept as one array."""
    setting = SETTINGS[name]
    file = FOLDER.parent / f"{name}-{'train' if training else 'test'}.npz"
    if not file.exists():
        place = setting.place if ":" in setting.place else str(unpacked(setting.place))
        found = load(place, train=training, channels=setting.channels)
        unfinished = file.with_suffix(f".{os.getpid()}.npz")
        np.savez(unfinished, pixels=found.pixels, labels=found.labels, names=np.array(found.names))
        unfinished.replace(file)
    arrays = np.load(file)
    return Images(arrays["pixels"], arrays["labels"], tuple(map(str, arrays["names"])))


def target(name: str, seed: int) -> nn.Module:
    """The model of the owner, unmarked."""
    setting = SETTINGS[name]
    recipe = f"{name} ResNet18 {setting.width} cifar {setting.training}"
    return kept(recipe, setting.blank, partial(setting.fresh, images(name, training=True)), seed)


SCHEMES = ("partitioned", "partitioned_as_published", "trigger_set", "entangled", "zhang")


def scheme(name: str, called: str) -> Scheme:
    """A scheme by its name in the figures; what it trains on is augmented as in the model's own training."""
    own = SETTINGS[name].training
    embedding = replace(Entangled().training, flips=own.flips, shift=own.shift)
    schemes: dict[str, Scheme] = {
        "partitioned": Partitioned(view=Training(flips=own.flips, shift=own.shift)),
        "partitioned_as_published": Partitioned.as_published(),
        "trigger_set": TriggerSet(),
        "entangled": Entangled(training=embedding),
        "zhang": Zhang(training=embedding),
    }
    return schemes[called]


def marked(name: str, called: str, seed: int) -> tuple[nn.Module, Claim]:
    """The target of that seed as the scheme marks it, and the claim."""
    chosen = scheme(name, called)
    recipe = f"{name} ResNet18 {SETTINGS[name].width} cifar {SETTINGS[name].training} marked by {chosen}"
    file = WORK / f"{hashlib.sha256(f'{recipe} {seed}'.encode()).hexdigest()[:24]}.claim"

    def make(rng: torch.Generator) -> nn.Module:
        key = hashlib.sha256(f"{name} {seed}".encode()).digest()
        WORK.mkdir(parents=True, exist_ok=True)
        made = chosen.protect(target(name, seed), Owner(images(name, training=True), key=key), rng, silent)
        made.claim.save(file)
        return made.model

    model = kept(recipe, SETTINGS[name].blank, make, seed)
    return model, Claim.load(file)


def measured(recipe: str, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
    """What `measure()` gives, from disk if the same `recipe` was measured before."""
    file = WORK / f"{hashlib.sha256(f'{recipe} torch={torch.__version__}'.encode()).hexdigest()[:24]}.json"
    if not file.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({"recipe": recipe, "figures": dict(measure())}).encode())
    found: dict[str, float] = json.loads(file.read_text())["figures"]
    return found


def accuracy_of(model: nn.Module, name: str) -> float:
    """Share of all test images that the model answers rightly."""
    test = images(name, training=False)
    return accuracy(predict(model, test).argmax(1).numpy(), test.labels)


def survival_of(model: nn.Module, claim: Claim) -> float:
    """Share of the claim's triggers that the model answers with their label."""
    return survival(model, Triggers(claim.images[:, 0], claim.tests[0].expected))


def thief(name: str) -> Images:
    """What the thief of fine-tuning and pruning has: a tenth of the training images."""
    return shares(images(name, training=True), (THIEF_SHARE,), torch.Generator().manual_seed(7))[0]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for word in sys.argv[1:]:
        place, number, *schemes = word.split(":")
        target(place, int(number))
        for called in schemes:
            marked(place, called, int(number))
        print(word, flush=True)
