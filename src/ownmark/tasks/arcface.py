"""ArcFace: people are told apart by the angle of embeddings, with a margin (Deng et al. 2019, arXiv:1801.07698).

Differs from the paper: the centre of a person starts at the mean of his embeddings, seen from the mean of all, not at random, so
that fine-tuning an embedder does not first have to unlearn it.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.tasks.base import TINY, direction


class Centres(nn.Module):
    """An embedder with one learnt centre a person: the cosines (n, people) between embeddings (n, d) and centres."""

    def __init__(self, embedder: nn.Module, embeddings: Tensor, people: Tensor) -> None:
        """`embeddings` (n, d) of training images and the `people` (n,) on them, every one from 0 to the largest."""
        super().__init__()
        count = int(people.max()) + 1
        if count < 2:  # noqa: PLR2004 - nobody can be told from nobody
            raise UsageError("an embedder learns to tell people apart: images of two people or more are needed, got one")
        units = direction(embeddings)
        sums = torch.zeros(count, units.shape[1]).index_add_(0, people, units - units.mean(0))
        self.embedder = embedder
        self.centres = nn.Parameter(direction(sums).to(next(embedder.parameters()).device))

    def forward(self, images: Tensor) -> Tensor:
        cosines: Tensor = direction(self.embedder(images)) @ direction(self.centres).T
        return cosines


def arcface(cosines: Tensor, people: Tensor, margin: float = 0.5, scale: float = 64.0) -> Tensor:
    """Cross-entropy of `scale` times the cosines (n, people), after each image's own angle was widened by `margin` radians."""
    return functional.cross_entropy(scale * widened(cosines, people, margin), people)


def widened(cosines: Tensor, people: Tensor, margin: float) -> Tensor:
    """cos(theta + m) for each image's own person; past pi - m, where that would rise again, cos(theta) - m sin(m)."""
    own = cosines.gather(1, people.view(-1, 1))
    turned = own * math.cos(margin) - (1 - own.square()).clamp_min(TINY).sqrt() * math.sin(margin)
    moved = torch.where(own > -math.cos(margin), turned, own - margin * math.sin(margin))
    return cosines.scatter(1, people.view(-1, 1), moved)
