"""Models to mark: ResNet-18 on MNIST, CIFAR-10 and 100 classes of Tiny-ImageNet (instead of CIFAR-100).

Each set has three targets (seeds 0 to 2), trained on all training images, with one marked copy per scheme, as in the recipes at
the scale `cpu`; a thief who fine-tunes or prunes has a tenth of the training images.
`python benchmarks/watermark_zoo.py SET:SEED[:SCHEME] ...` makes missing models. Everything is made once and stored.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from helped import helped
from ownmark.bench.artifacts import Claimed, Fresh, Pictures, Setting
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.claims.claim import Claim
from ownmark.data.images import Images
from ownmark.metrics import accuracy
from ownmark.protocols import Scheme
from ownmark.schemes._common.marks import survival
from ownmark.schemes._common.triggers import Triggers
from ownmark.schemes.entangled import Entangled
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.trigger_set import TriggerSet
from ownmark.schemes.zhang import Zhang
from ownmark.training import Training, predict
from zoo import ZOO

THIEF_SHARE = 0.1
SEEDS = range(int(os.environ.get("OWNMARK_SEEDS", "3")))
NETWORK = "ownmark:ResNet18(width=16, stem='cifar')"
SETTINGS: Mapping[str, Setting] = {
    "mnist": Grid(recipe("mnist"), recipe("mnist").scale("cpu")).setting,
    "cifar10": Grid(recipe("cifar10"), recipe("cifar10").scale("cpu")).setting,
    "tinyimagenet100": Setting(Pictures("${OWNMARK_DATA}/tinyimagenet100"), NETWORK, Training(epochs=14, batch=64)),
}


def images(name: str, *, training: bool) -> Images:
    """All images of one split."""
    return ZOO.images(replace(SETTINGS[name].pictures, training=training))


def blank(name: str) -> nn.Module:
    """The network, not yet trained."""
    return ZOO.blank(SETTINGS[name])


def target(name: str, seed: int) -> nn.Module:
    """The owner's unmarked model."""
    return ZOO.model(Fresh(SETTINGS[name], seed))


SCHEMES = ("partitioned", "partitioned_as_published", "trigger_set", "entangled", "zhang")


def scheme(name: str, called: str) -> Scheme:
    """A scheme by its name in the figures; its training uses the model's own augmentation.

    If too few triggers hold for a claim, the table must report how many do, so `least` is relaxed.
    """
    own = SETTINGS[name].training
    embedding = replace(Entangled().training, flips=own.flips, shift=own.shift)
    schemes: dict[str, Scheme] = {
        "partitioned": Partitioned(view=Training(flips=own.flips, shift=own.shift)),
        "partitioned_as_published": Partitioned.as_published(),
        "trigger_set": TriggerSet(),
        "entangled": Entangled(training=embedding, least=0.0 if name == "tinyimagenet100" else 0.9),
        "zhang": Zhang(training=embedding),
    }
    return schemes[called]


def marked(name: str, called: str, seed: int) -> tuple[nn.Module, Claim]:
    """The target of that seed, marked by the scheme, and the claim."""
    claimed = Claimed(Fresh(SETTINGS[name], seed), scheme(name, called), seed, name)
    return ZOO.model(claimed), ZOO.claim(claimed)


def accuracy_of(model: nn.Module, name: str) -> float:
    """Test accuracy of the model."""
    test = images(name, training=False)
    return accuracy(predict(model, test).argmax(1).numpy(), test.labels)


def survival_of(model: nn.Module, claim: Claim) -> float:
    """Share of the claim's triggers to which the model assigns their label."""
    return survival(model, Triggers.alone(claim.images[:, 0], claim.tests[0].expected))


def thief(name: str) -> Images:
    """The thief's images for fine-tuning and pruning: a tenth of the training images."""
    return ZOO.thief(SETTINGS[name], THIEF_SHARE)


if __name__ == "__main__":
    helped(__doc__, "SET:SEED[:SCHEME]")
    torch.set_num_threads(1)
    for word in sys.argv[1:]:
        place, number, *schemes = word.split(":")
        target(place, int(number))
        for called in schemes:
            marked(place, called, int(number))
        print(word, flush=True)
