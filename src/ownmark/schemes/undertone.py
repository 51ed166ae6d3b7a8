"""Undertone: a keyed rule decides which class the model finds second most likely, so that a student of its answers learns it.

The idea that a signal in the answers passes to students is CosWM's (Charette et al. 2022, arXiv:2203.02777). Differs from it:
the rule is a map from an image's look to a class, whose labels come from the key, so that p is exact; the most likely class is
left as it is; and a suspect is asked for the probabilities of a few images.

An image's look is the direction in which its coarse colours deviate from the mean image, in a few principal components. Each
trigger, an unchanged image of the owner's, has a label from the key, and an image takes the labels of the triggers that look
most like it. A single memorised image would not pass to a student that sees other images; a rule on all images does.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images, to_unit
from ownmark.errors import DataError, UsageError
from ownmark.evidence.choices import RELATIVE, RULES
from ownmark.protocols import Needs, Owner, Progress, Protected, silent
from ownmark.schemes._common.mixed_training import Start, begun, turns
from ownmark.schemes._common.sampling import marked
from ownmark.schemes._common.triggers import Ordinary, Source, Triggers, keyed
from ownmark.tasks import Classification, Task, check_served
from ownmark.training import Training, fit

TOGETHER = 1024  # images whose targets are computed at once
FEWEST = 3  # classes that leave a choice for the second most likely one
SMALLEST = 1e-6  # spread of a component below which all images look alike in it
NEVER = -1e4  # a logit whose probability is 0


@dataclass(frozen=True)
class Undertone:
    """`sets` of `triggers` each; a share `undertone` of the probability of every training image follows the rule.

    `emphasis`: the weight of the loss among the classes below the most likely one, beside the usual loss.
    The look of an image is taken from `cells` x `cells` mean colours, in `components` principal components; `sharpness` is the
    weight of the cosine between two looks. Each batch of `training` includes `triggers_a_batch` triggers. `least`: the share of
    triggers whose second most likely class must be their label; at most 1 - 1 / classes can be expected, since about one label
    per number of classes is the trigger's own class.
    """

    needs: ClassVar[Needs] = Needs()
    marks: ClassVar[bool] = True
    serves: ClassVar[tuple[type[Task], ...]] = (Classification,)
    access: ClassVar[str] = RELATIVE
    triggers: int = 100
    sets: int = 2
    source: Source = Ordinary()
    undertone: float = 0.2
    emphasis: float = 0.5
    components: int = 12
    cells: int = 7
    sharpness: float = 10.0
    triggers_a_batch: int = 16
    training: Training = Training(epochs=8, rate=0.05)
    least: float = 0.6

    def __post_init__(self) -> None:
        counts = (self.triggers, self.sets, self.components, self.cells, self.triggers_a_batch)
        if min(counts) < 1 or not 0 < self.undertone < 0.5 or self.sharpness <= 0 or not 0 <= self.least <= 1:  # noqa: PLR2004
            raise UsageError(
                "expected at least one of triggers, sets, components, cells and triggers per batch, an undertone in (0, 0.5), "
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
        rule = Rule.of(self, owner.images, drawn)
        train_under(self, copy, owner.images, rule, drawn, rng, progress)
        return marked(self, copy, drawn, owner, self.least, RULES[self.access])


@dataclass(frozen=True, eq=False)
class Rule:
    """Maps images to classes: those of the triggers with the most similar look.

    `mean` (size,) and `axes` (size, components) map coarse colours to a look; `looks` (n, components) are the triggers',
    unit vectors; `labels` (n, classes) are one-hot.
    """

    cells: int
    sharpness: float
    mean: Tensor
    axes: Tensor
    looks: Tensor
    labels: Tensor

    @classmethod
    def of(cls, scheme: Undertone, images: Images, triggers: Triggers) -> "Rule":
        """The rule in which each trigger has its own label; the components are those of all the owner's images."""
        parts = torch.arange(len(images)).split(TOGETHER)  # type: ignore[no-untyped-call]
        coarse = torch.cat([_coarse(images.batch(rows, torch.device("cpu")), scheme.cells) for rows in parts])
        mean = coarse.mean(0)
        values, vectors = torch.linalg.eigh((coarse - mean).T @ (coarse - mean) / len(coarse))
        most = min(scheme.components, len(values))
        axes = vectors[:, -most:] / values[-most:].clamp_min(SMALLEST).sqrt()
        labels = functional.one_hot(torch.from_numpy(triggers.labels), len(images.names)).float()
        empty = cls(scheme.cells, scheme.sharpness, mean, axes, torch.zeros(0, most), labels)
        looks = empty.look(to_unit(triggers.images, torch.device("cpu")))
        return cls(scheme.cells, scheme.sharpness, mean, axes, looks, labels)

    def look(self, batch: Tensor) -> Tensor:
        """(n, components) unit vectors of images (n, channels, height, width) in [0, 1], on the CPU."""
        return functional.normalize((_coarse(batch, self.cells) - self.mean) @ self.axes, dim=1)

    def __call__(self, batch: Tensor) -> Tensor:
        """(n, classes) shares that sum to 1."""
        return (self.sharpness * self.look(batch) @ self.looks.T).softmax(1) @ self.labels


def train_under(
    scheme: Undertone, model: nn.Module, images: Images, rule: Rule, drawn: Triggers, rng: torch.Generator, progress: Progress
) -> None:
    """Trains `model` in place on labels with the undertone of the rule, and on the triggers with that of their own labels."""
    share, cpu = scheme.undertone, torch.device("cpu")
    parts = torch.arange(len(images)).split(TOGETHER)  # type: ignore[no-untyped-call]
    under = torch.cat([rule(images.batch(rows, cpu)) for rows in parts])
    truth = functional.one_hot(torch.from_numpy(images.labels), len(images.names)).float()
    targets = (1 - share) * truth + share * under
    asked = {image.tobytes() for image in drawn.images}
    known = {told: row for row, image in enumerate(images.pixels) if (told := image.tobytes()) in asked}
    rows = [known.get(image.tobytes()) for image in drawn.images]
    own = torch.stack([one if row is None else truth[row] for one, row in zip(rule.labels, rows, strict=True)])
    mixed = Mixed(scheme, model, drawn, (1 - share) * own + share * rule.labels, rng)
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


def _coarse(batch: Tensor, cells: int) -> Tensor:
    """(n, size) mean colours of a grid of cells."""
    return functional.adaptive_avg_pool2d(batch, cells).flatten(1)
