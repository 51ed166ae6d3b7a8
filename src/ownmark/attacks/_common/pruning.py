"""Shared by the attacks that zero weights: what is zeroed stays so while the rest is fine-tuned."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.models.layers import held_at_zero
from ownmark.protocols import Progress
from ownmark.training import Training, train


def pruned(
    model: nn.Module,
    masks: Iterable[tuple[Tensor, Tensor]],
    thief: Images,
    training: Training,
    rng: torch.Generator,
    progress: Progress,
) -> nn.Module:
    """`model` itself in eval mode, each tensor times its mask of ones and zeros; trained unless `training` has no epochs."""
    with held_at_zero(masks):
        if training.epochs:
            train(model, thief, training, rng, progress)
    return model.eval()
