"""Splits images into those that an owner or thief works with and those that models are evaluated on."""

from dataclasses import dataclass

import numpy as np
import torch

from ownmark.data.images import Images, load, shares
from ownmark.tasks import Classification, Task

HELD_OUT = 0.2  # share of the images, if the place has no test split


@dataclass(frozen=True)
class Split:
    """`mine` for training and claims, `held_out` for evaluation only; `origin` describes the held-out images to people."""

    mine: Images
    held_out: Images
    origin: str

    @classmethod
    def of(cls, place: str, size: int | None, channels: int, task: Task = Classification()) -> "Split":
        """The images of a place and its own test split or, without one, a held-out fifth."""
        mine = load(place, size=size, channels=channels, task=task)
        other = load(place, size=size, channels=channels, train=False, task=task)
        if other.names == mine.names and not np.array_equal(other.pixels, mine.pixels):
            return cls(mine, other, "the test split")
        held, kept = shares(mine, (HELD_OUT, 1 - HELD_OUT), torch.Generator().manual_seed(0))
        return cls(kept, held, "a fifth of the images, held out")
