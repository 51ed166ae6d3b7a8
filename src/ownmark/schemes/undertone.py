"""Undertone: a keyed rule decides which class the model finds second most likely, so that a student of its answers learns it.

The idea that a signal in the answers passes to students is CosWM's (Charette et al. 2022, arXiv:2203.02777). Differs from it:
the rule is a map from an image's class and look to another class, whose labels come from the key, so that p is exact; the most
likely class is left as it is; and a suspect is asked for the probabilities of some images.

An image's look are its coarse colours. Each trigger, an unchanged image of the owner's in the middle of a group of images of its
class, has a label from the key, a number among the other classes, and an image takes the label of the trigger of its class that
looks most like it. A single memorised image would not pass to a student that sees other images; a rule on all images does.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images, to_unit
from ownmark.errors import DataError, UsageError
from ownmark.evidence.choices import GROUPS, RULES
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.centres import SMALLEST, Centres, look
from ownmark.schemes._common.marks import marked
from ownmark.schemes._common.mixed_training import Start, begun, turns
from ownmark.schemes._common.triggers import Source, Triggers, keyed
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import Training, fit, predict

FEWEST = 3  # classes that leave a choice for the second most likely one
NEVER = -1e4  # a logit whose probability is 0
HALF = 0.5  # from which the most likely class would not be left as it is
ENOUGH = 2000  # images that tell how unsure a model is


@dataclass(frozen=True)
class Undertone:
    """`sets` of `triggers` each; a share of the probability of every training image follows the rule.

    This share is what the model itself leaves to the less likely classes on average, but at least `undertone` and at most `most`
    (or `undertone`, if that is more): a mark in the answers of an unsure model may be louder before it costs accuracy.
    `emphasis`: the weight of the loss among the classes below the most likely one, beside the usual loss.
    The look of an image are its `cells` x `cells` mean colours; an image whose look is as far from its nearest trigger as usual
    counts a trigger e times less if that is further away by 1 / `sharpness` of this (squared) distance. Each batch of `training`
    includes `triggers_a_batch` triggers. `least`: the share of triggers that must hold on the marked model.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    access: ClassVar[str] = GROUPS
    triggers: int = 45
    sets: int = 1
    source: Source = Centres(45, alike=16)
    undertone: float = 0.12
    most: float = 0.25
    emphasis: float = 0.2
    cells: int = 14
    sharpness: float = 10.0
    triggers_a_batch: int = 8
    training: Training = Training(epochs=8, rate=0.05)
    least: float = 0.6

    def __post_init__(self) -> None:
        counts = (self.triggers, self.sets, self.cells, self.triggers_a_batch)
        shares = (self.undertone, self.most)
        if min(counts) < 1 or not 0 < min(shares) <= max(shares) < HALF or self.sharpness <= 0 or not 0 <= self.least <= 1:
            raise UsageError(
                "expected at least one of triggers, sets, cells and triggers per batch, an undertone and its most in (0, 0.5), "
                f"a positive sharpness and a share for least, got {self}"
            )

    def protect(self, model: nn.Module, owner: Owner, rng: torch.Generator, progress: Progress = silent) -> Protected:
        """A marked copy of `model` and its claim, whose p-value is exact by its keyed labels.

        Raises DataError without images, UsageError for two classes, ProtectError if too few triggers hold.
        """
        check_served(self, self.serves, owner.images.task)
        if not len(owner.images):
            raise DataError("expected at least one image of the owner's, whose answers carry the mark, got none")
        if len(owner.images.names) < FEWEST:
            raise UsageError(
                f"expected at least {FEWEST} classes, since of two the second is known, got {len(owner.images.names)}"
            )
        copy = begun(model, owner.images, Start.POST_HOC, rng)
        drawn = keyed(self, owner, model)
        self.check_room(drawn)
        looks = look(owner.images, self.cells)
        rule = Rule.of(self, model, owner.images, looks, drawn)
        train_under(self.as_loud_as(model, owner.images), copy, owner.images, looks, rule, drawn, rng, progress)
        return marked(self, copy, drawn, owner, self.least, RULES[self.access])

    def as_loud_as(self, model: nn.Module, images: Images) -> "Undertone":
        """With the share of probability for this model, which at most `ENOUGH` of the images tell."""
        some = images.take(np.arange(0, len(images), -(-len(images) // ENOUGH)))
        left = float(1 - predict(model, some).softmax(1).max(1).values.mean())
        return replace(self, undertone=max(self.undertone, min(left, self.most)))

    def check_room(self, drawn: Triggers) -> None:
        """Raises UsageError if the share `least` cannot hold, since several sets have other labels for the same images."""
        labels: dict[bytes, Counter[int]] = defaultdict(Counter)
        for image, label in zip(drawn.images, drawn.labels.tolist(), strict=True):
            labels[image.tobytes()][label] += 1
        most = sum(max(found.values()) for found in labels.values())
        if most < self.least * len(drawn):
            raise UsageError(
                f"{self.sets} sets of {self.triggers} triggers are {len(drawn)}, but {self.source} has {len(labels)} images for "
                f"them, each of which can have one label: at most {most} can hold, less than the share {self.least:g} required. "
                "Give a source of more images, such as Centres(count=...) or Ordinary()"
            )


@dataclass(frozen=True, eq=False)
class Rule:
    """Maps images of known classes to other classes: those of the triggers of the same class that look most alike.

    `looks` (n, size) are the triggers', `own` (n,) their classes, `labels` (n, classes - 1) one-hot numbers among the other
    classes; `weight`: of a squared distance.
    """

    weight: float
    looks: Tensor
    own: Tensor
    labels: Tensor

    @classmethod
    def of(cls, scheme: Undertone, model: nn.Module, images: Images, looks: Tensor, triggers: Triggers) -> "Rule":
        """Each trigger has its own label. The class of one that is no image of the owner's is what `model` says.

        `looks` (n, size) are those of the owner's `images`.
        """
        shown = Images(triggers.images, triggers.labels, images.names)
        known = dict(zip((image.tobytes() for image in images.pixels), images.labels.tolist(), strict=True))
        said = predict(model, shown).argmax(1).tolist()
        own = [known.get(image.tobytes(), answer) for image, answer in zip(triggers.images, said, strict=True)]
        labels = functional.one_hot(torch.from_numpy(triggers.labels), len(images.names) - 1).float()
        rule = cls(1.0, look(shown, scheme.cells), torch.tensor(own), labels)
        usual = rule.apart(looks, torch.from_numpy(images.labels)).min(1).values.median()
        return cls(scheme.sharpness / max(float(usual), SMALLEST), rule.looks, rule.own, labels)

    def apart(self, looks: Tensor, classes: Tensor) -> Tensor:
        """(n, triggers) squared distances of looks (n, size), those of other classes infinite unless a class has no trigger."""
        found, other = torch.cdist(looks, self.looks).square(), classes[:, None] != self.own
        return found.masked_fill(other & ~other.all(1, keepdim=True), torch.inf)

    def __call__(self, looks: Tensor, classes: Tensor) -> Tensor:
        """(n, classes) shares that sum to 1, none of an image's own class, of looks (n, size) and classes (n,)."""
        return beside(classes, (-self.weight * self.apart(looks, classes)).softmax(1) @ self.labels)


def beside(classes: Tensor, shares: Tensor) -> Tensor:
    """(n, classes) shares of all classes, from `shares` (n, classes - 1) of those other than `classes` (n,), in order."""
    places = torch.arange(shares.shape[1]).expand_as(shares)
    empty = shares.new_zeros(len(shares), shares.shape[1] + 1)
    return empty.scatter(1, places + (places >= classes[:, None]), shares)


def train_under(
    scheme: Undertone,
    model: nn.Module,
    images: Images,
    looks: Tensor,
    rule: Rule,
    drawn: Triggers,
    rng: torch.Generator,
    progress: Progress,
) -> None:
    """Trains `model` in place on labels with the undertone of the rule, and on the triggers with that of their own labels.

    `looks` (n, size) are those of `images`.
    """
    classes = torch.from_numpy(images.labels)

    def aims(own: Tensor, under: Tensor) -> Tensor:
        truth = functional.one_hot(own, len(images.names)).float()
        return (1 - scheme.undertone) * truth + scheme.undertone * under

    targets = aims(classes, rule(looks, classes))
    mixed = Mixed(scheme, model, drawn, aims(rule.own, beside(rule.own, rule.labels)), rng)
    fit(mixed, images, targets, mixed.loss, scheme.training, rng, progress)


class Mixed(nn.Module):
    """Runs a model on some unaugmented triggers along with every batch; `aims` (n, classes): the triggers' targets."""

    def __init__(self, scheme: Undertone, model: nn.Module, drawn: Triggers, aims: Tensor, rng: torch.Generator) -> None:
        super().__init__()
        self.model, self.drawn, self.aims, self.emphasis = model, drawn, aims, scheme.emphasis
        self.turns = turns(len(drawn), scheme.triggers_a_batch, rng)
        self.rows = torch.empty(0, dtype=torch.long)

    def forward(self, images: Tensor) -> Tensor:
        self.rows = next(self.turns)
        asked = to_unit(self.drawn.images[self.rows.numpy()], images.device)
        logits: Tensor = self.model(torch.cat([images, asked]))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of both parts, with equal weight, and `emphasis` times that of the classes below the most likely one."""
        parts = (logits[: len(targets)], targets), (logits[len(targets) :], self.aims[self.rows].to(logits.device))
        found: Tensor = sum(functional.cross_entropy(*part) + self.emphasis * below(*part) for part in parts)  # type: ignore[assignment]
        return found


def below(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of (n, classes) among the classes other than the target's most likely one, whatever share these have.

    In plain cross-entropy their gradient is as small as their share (Zhao et al. 2022, arXiv:2203.08679).
    """
    top = targets.argmax(1, keepdim=True)
    rest = targets.scatter(1, top, 0)
    shares = rest / rest.sum(1, keepdim=True).clamp_min(torch.finfo(rest.dtype).tiny)
    found: Tensor = functional.cross_entropy(logits.scatter(1, top, NEVER), shares)
    return found
