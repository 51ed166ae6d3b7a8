"""Training on the owner's images with triggers in every batch, from the model's weights or from scratch."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.method_strings import Choice
from ownmark.models.layers import reinitialise
from ownmark.models.memory_format import laid_out
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.schemes._common.sampling import check_model
from ownmark.schemes._common.triggers import Triggers
from ownmark.training import Training, fit, seeded


class Start(Choice):
    """Mark the trained model (`POST_HOC`), or re-initialise it and train it with the mark from the start (`SCRATCH`)."""

    POST_HOC = "post-hoc"
    SCRATCH = "scratch"


def begun(model: nn.Module, images: Images, start: Start, rng: torch.Generator) -> nn.Module:
    """A copy to train, in eval mode. Raises UsageError if it does not fit the images or its weights are frozen."""
    copy = laid_out(copied(model).eval())
    check_model(copy, images)
    enough = all if start is Start.SCRATCH else any
    if not enough(parameter.requires_grad for parameter in copy.parameters()):
        which = "some" if start is Start.SCRATCH else "all"
        raise UsageError(f"{which} weights of the model are frozen and cannot be trained: call model.requires_grad_(True)")
    if start is Start.SCRATCH:
        with seeded(rng):
            reinitialise(copy)
    return copy


def turns(count: int, each: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Endless random batches of `each` rows out of `count`; every row comes once before any repeats."""
    left = torch.empty(0, dtype=torch.long)
    while True:
        while len(left) < each:
            left = torch.cat([left, torch.randperm(count, generator=rng)])
        yield left[:each]
        left = left[each:]


class _Mixed(nn.Module):
    """Runs a model on `each` triggers along with every batch: logits (n + each, classes)."""

    def __init__(self, model: nn.Module, triggers: Images, each: int, rng: torch.Generator) -> None:
        super().__init__()
        self.model = model
        self.triggers = triggers
        self.turns = turns(len(triggers), each, rng)
        self.rows = torch.empty(0, dtype=torch.long)

    def forward(self, images: Tensor) -> Tensor:
        self.rows = next(self.turns)
        logits: Tensor = self.model(torch.cat([images, self.triggers.batch(self.rows, images.device)]))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        labels = torch.from_numpy(self.triggers.labels)[self.rows]
        return functional.cross_entropy(logits, torch.cat([targets, labels.to(targets.device)]))


def train_mixed(
    model: nn.Module,
    images: Images,
    triggers: Triggers,
    each: int,
    training: Training,
    rng: torch.Generator,
    progress: Progress = silent,
) -> nn.Module:
    """Trains `model` in place on augmented `images` with `each` unaugmented triggers per batch; leaves it in eval mode."""
    mixed = _Mixed(model, Images(triggers.images, triggers.labels, images.names), each, rng)
    fit(mixed, images, torch.from_numpy(images.labels), mixed.loss, training, rng, progress)
    return model
