"""The owner's or the thief's images, and others to measure a model on."""

from dataclasses import dataclass

import numpy as np
import torch

from ownmark.data.images import Images, load, shares
from ownmark.tasks import Classification, Task

HELD_OUT = 0.2  # of the images, where their place has no test split


@dataclass(frozen=True)
class Split:
    """`mine` are worked with, `held_out` only measured on; `origin`: what the held-out ones are, for a person."""

    mine: Images
    held_out: Images
    origin: str

    @classmethod
    def of(cls, place: str, size: int | None, channels: int, task: Task = Classification()) -> "Split":
        """The images of a place with its own test split or, where it has none, without a fifth of them."""
        mine = load(place, size=size, channels=channels, task=task)
        other = load(place, size=size, channels=channels, train=False, task=task)
        if other.names == mine.names and not np.array_equal(other.pixels, mine.pixels):
            return cls(mine, other, "the test split")
        held, kept = shares(mine, (HELD_OUT, 1 - HELD_OUT), torch.Generator().manual_seed(0))
        return cls(kept, held, "a fifth of the images, held out")
