"""Models to mark, on small parts of three sets of images, and what a claim finds in a model. All is made once and stored."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import numpy as np
import torch
from torch import nn

from mark_keys import LEVEL, PLEDGED
from ownmark.attacks import (
    NAD,
    WRK,
    AdversarialTrain,
    Average,
    Distill,
    Extract,
    Finetune,
    Knockoff,
    Overwrite,
    PruneFilters,
    Retrain,
    Unlearn,
)
from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.independent import Independent
from ownmark.attacks.knockoff import Reply
from ownmark.bench.artifacts import weights_of
from ownmark.bench.store import Made
from ownmark.claims.claim import Claim
from ownmark.data.image_places import resolved
from ownmark.data.images import Images, load
from ownmark.evidence.choices import RULES
from ownmark.metrics import accuracy
from ownmark.models.network import build
from ownmark.models.weights import load_weights
from ownmark.protocols import Attack, Owner, Scheme, silent
from ownmark.schemes._common.marks import held
from ownmark.schemes._common.triggers import Triggers
from ownmark.schemes.entangled import Entangled
from ownmark.schemes.partitioned import Partitioned
from ownmark.schemes.undertone import Undertone
from ownmark.schemes.zhang import Zhang
from ownmark.scoring.matches import Graded
from ownmark.scoring.null_models import KeyedLabels
from ownmark.training import Training, predict, train
from zoo import ZOO, kept

THIEF = 3
PARTS = ("owner", "others", "few", "test")
Cells = Mapping[str, float]


@dataclass(frozen=True)
class Place:
    """A set of images, and what is made of it: `count` images are the owner's, as many others a student's, `few` a thief's.

    A thief who copies by unrelated images takes those of `foreign`.
    """

    name: str
    source: str
    channels: int
    network: str
    own: Training
    count: int
    few: int
    foreign: str
    classes: int = 10

    @property
    def identity(self) -> str:
        """What distinguishes its models in the store."""
        of_set = "" if self.name == "mnist" else f"{self.name} "
        return f"{of_set}{self.count} {self.network} {self.own}"

    @property
    def setting(self) -> str:
        """In words, for the result."""
        trained = f"{self.network}, {self.own}, {self.count} images of the owner's, {self.few} of a thief's with the weights"
        return f"{self.name}: {trained}, {self.foreign} for knock-offs"

    def moved(self, training: Training = Training()) -> Training:
        """The training with images moved as in the owner's."""
        return replace(training, flips=self.own.flips, shift=self.own.shift)

    @property
    def schemes(self) -> dict[str, Scheme]:
        """The marks; the table tells how many triggers hold, so that `least` is relaxed."""
        return {
            "undertone": Undertone(training=self.moved(Undertone().training)),
            "partitioned": Partitioned(view=self.moved(), least=0.0),
            "entangled": Entangled(training=self.moved(Entangled().training), least=0.0),
            "zhang": Zhang(training=self.moved(Zhang().training)),
        }

    @property
    def thefts(self) -> dict[str, tuple[Attack, str]]:
        """The attacks, and which images the thief has."""
        flips, epochs = self.own.flips, self.own.epochs
        student = {"epochs": epochs, "rate": 0.1, "flips": flips}
        foreign = {"foreign": Foreign(self.foreign), "epochs": 16, "flips": flips}
        marking = Partitioned(view=self.moved(), steps=110, least=0.0)
        return {
            "distill": (Distill(**student), "others"),  # type: ignore[arg-type]
            "wrk": (WRK(flips=flips), "few"),
            "prune_filters_4": (PruneFilters(0.25, epochs=1, flips=flips), "few"),
            "retrain_all": (Retrain(flips=flips), "few"),
            "finetune_0.005": (Finetune(rate=0.005, flips=flips), "few"),
            "finetune_0.01": (Finetune(rate=0.01, flips=flips), "few"),
            "finetune_0.02": (Finetune(rate=0.02, flips=flips), "few"),
            "nad": (NAD(flips=flips), "few"),
            "average": (Average(Independent(epochs=4, rate=0.1, flips=flips), flips=flips), "few"),
            "extract": (Extract(**student), "others"),  # type: ignore[arg-type]
            "knockoff_soft": (Knockoff(**foreign), "few"),  # type: ignore[arg-type]
            "knockoff_hard": (Knockoff(reply=Reply.HARD, **foreign), "few"),  # type: ignore[arg-type]
            "unlearn": (Unlearn(flips=flips), "few"),
            "overwrite": (Overwrite(marking), "few"),
            "overwrite_alike": (Overwrite(Undertone(training=self.moved(Undertone().training), least=0.0)), "few"),
            "adversarial_train": (AdversarialTrain(steps=3, epochs=3, rate=0.005, flips=flips), "few"),
        }

    @cached_property
    def images(self) -> Mapping[str, Images]:
        """By `PARTS`."""
        whole, test = (load(resolved(self.source), channels=self.channels, train=train) for train in (True, False))
        order = np.random.default_rng(0).permutation(len(whole))
        ends = (0, self.count), (self.count, 2 * self.count), (self.count, self.count + self.few)
        parts = [whole.take(order[start:end]) for start, end in ends]
        return dict(zip(PARTS, (*parts, test), strict=True))

    def blank(self) -> nn.Module:
        """The network, not yet trained."""
        return build(self.network, self.classes)

    def target(self, seed: int) -> nn.Module:
        """The owner's model, not marked."""
        torch.manual_seed(seed)
        return kept(
            f"marks owner {self.identity}", self.blank, lambda rng: train(self.blank(), self.images["owner"], self.own, rng), seed
        )


MNIST = Place(
    name="mnist",
    source="torchvision:MNIST",
    channels=1,
    network="ownmark:ResNet18(width=8, channels=1, stem='cifar')",
    own=Training(epochs=5, batch=64, flips=False, shift=2),
    count=6000,
    few=1500,
    foreign="digits",
)
CIFAR10 = Place(
    name="cifar10",
    source="${OWNMARK_DATA}/cifar10",
    channels=3,
    network="ownmark:ResNet18(width=8, stem='cifar')",
    own=Training(epochs=8, batch=64),
    count=20_000,
    few=3000,
    foreign="${OWNMARK_DATA}/tinyimagenet100",
)
TINY = Place(
    name="tinyimagenet100",
    source="${OWNMARK_DATA}/tinyimagenet100",
    channels=3,
    network="ownmark:ResNet18(width=8, stem='cifar')",
    own=Training(epochs=12, batch=64),
    count=15_000,
    few=3000,
    foreign="${OWNMARK_DATA}/cifar10",
    classes=100,
)


@dataclass(frozen=True)
class Marked:
    """One of the owner's models with a mark."""

    place: Place
    called: str
    seed: int

    @property
    def scheme(self) -> Scheme:
        """The mark."""
        return self.place.schemes[self.called]

    @property
    def stored_at(self) -> str:
        """What its rows are stored under."""
        one, rule = self.place, f" {RULES[self.scheme.access]}" if isinstance(self.scheme, Undertone) else ""
        of_set = "" if one.name == "mnist" else f"{one.name} "
        return f"marks 1 {of_set}{one.count} {one.few} {one.network} {one.own} {self.scheme} {self.seed}{rule}"

    @cache  # noqa: B019 - a handful of them
    def made(self) -> tuple[nn.Module, Claim]:
        """The marked model, and the claim."""
        key, images = hashlib.sha256(f"marks {self.called} {self.seed}".encode()).digest(), self.place.images["owner"]

        def make() -> Made:
            rng = torch.Generator().manual_seed(self.seed)
            found = self.scheme.protect(self.place.target(self.seed), Owner(images, key=key), rng, silent)
            weights = weights_of(found.model)
            return Made(weights.facts, {**weights.files, "claim": found.claim.to_bytes()})

        asked = {"kind": "experiment", "recipe": f"{self.stored_at} made", "seed": self.seed, "torch": str(torch.__version__)}
        entry = ZOO.store.kept(asked, make)
        model = load_weights(self.place.blank(), entry.file("safetensors")).to(memory_format=torch.channels_last)
        return model.eval(), Claim.load(entry.file("claim"))

    def stored(self, row: str) -> str:
        """What a row is stored under."""
        if row not in self.place.thefts:
            return f"{self.stored_at} {row}"
        attack, which = self.place.thefts[row]
        return f"{self.stored_at} {attack} {which}"

    def measure(self, row: str) -> dict[str, float]:
        """The accuracy of the model before, with the mark, or of what a thief made of it, and what the claim finds."""
        model, claim = self.made()
        if row == "unmarked":
            return told(self.place.target(self.seed), claim, self.place.images["test"])
        if row != "marked":
            attack, which = self.place.thefts[row]
            took = partial(attack.apply, model, self.place.images[which])
            model = kept(f"{self.stored(row)} copy", self.place.blank, lambda rng: took(rng, silent), THIEF)
        return told(model, claim, self.place.images["test"])


def told(model: nn.Module, claim: Claim, test: Images) -> dict[str, float]:
    """Accuracy on the test images, and what the claim finds."""
    right = accuracy(predict(model, test).argmax(1).numpy(), test.labels)
    asked = claim.tests[0]
    holding, score = held(model, Triggers(claim.images, asked.expected), asked.match)
    found = {"accuracy": right, "score": score.value, "log10_p": 0.0, "match": 0.0}
    if isinstance(asked.match, Graded):
        found["held"] = float(holding.mean())
    if isinstance(null := asked.null, KeyedLabels):
        pledged = replace(null, grinding=PLEDGED)
        found |= {"log10_p": null.log10_p(score.value), "match": float(pledged.p_value(score.value) <= LEVEL)}
    return found
