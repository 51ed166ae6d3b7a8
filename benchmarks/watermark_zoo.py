"""The models to mark: ResNet-18 on MNIST, CIFAR-10 and 100 classes of Tiny-ImageNet (in the place of CIFAR-100).

Each set has three targets (seeds 0 to 2), trained on all training images; the thief of a fine-tuning or pruning has a tenth of
them. `python benchmarks/watermark_zoo.py SET SEED ...` trains what is missing.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from torch import nn

from ownmark.data import Images, load, shares
from ownmark.models.resnet import ResNet18
from ownmark.training import Training, seeded, train
from realdata import unpacked
from zoo import FOLDER, kept

THIEF_SHARE = 0.1


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


def thief(name: str) -> Images:
    """What the thief of fine-tuning and pruning has: a tenth of the training images."""
    return shares(images(name, training=True), (THIEF_SHARE,), torch.Generator().manual_seed(7))[0]


if __name__ == "__main__":
    torch.set_num_threads(1)
    for word in sys.argv[1:]:
        chosen, seed = word.split(":")
        target(chosen, int(seed))
        print(word, flush=True)
