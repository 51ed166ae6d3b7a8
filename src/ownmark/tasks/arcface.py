"""ArcFace: embeddings of different people are separated by angle, with a margin (Deng et al. 2019, arXiv:1801.07698).

Differs from the paper: a person's centre starts at the mean of their embeddings, relative to the mean over all people, not at
random, so that fine-tuning an embedder does not first have to unlearn a random start.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.errors import UsageError
from ownmark.tasks.base import TINY, direction


class Centres(nn.Module):
    """An embedder with one trainable centre per person: the cosines (n, people) between embeddings (n, d) and centres."""

    def __init__(self, embedder: nn.Module, embeddings: Tensor, people: Tensor) -> None:
        """`embeddings` (n, d) of training images and the `people` (n,) on them, numbered from 0 without gaps."""
        super().__init__()
        count = int(people.max()) + 1
        if count < 2:  # noqa: PLR2004 - one person cannot be told from another
            raise UsageError("expected images of at least two people to train an embedder, got one")
        units = direction(embeddings)
        sums = torch.zeros(count, units.shape[1]).index_add_(0, people, units - units.mean(0))
        self.embedder = embedder
        self.centres = nn.Parameter(direction(sums).to(next(embedder.parameters()).device))

    def forward(self, images: Tensor) -> Tensor:
        cosines: Tensor = direction(self.embedder(images)) @ direction(self.centres).T
        return cosines


def arcface(cosines: Tensor, people: Tensor, margin: float = 0.5, scale: float = 64.0) -> Tensor:
    """Cross-entropy of `scale` times the cosines (n, people), with each image's own angle widened by `margin` radians."""
    return functional.cross_entropy(scale * widened(cosines, people, margin), people)


def widened(cosines: Tensor, people: Tensor, margin: float) -> Tensor:
    """cos(theta + m) for each image's own person; past pi - m, where that would rise again, cos(theta) - m sin(m)."""
    own = cosines.gather(1, people.view(-1, 1))
    turned = own * math.cos(margin) - (1 - own.square()).clamp_min(TINY).sqrt() * math.sin(margin)
    moved = torch.where(own > -math.cos(margin), turned, own - margin * math.sin(margin))
    return cosines.scatter(1, people.view(-1, 1), moved)
