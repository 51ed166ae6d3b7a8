"""Splits images into those that an owner or thief works with and those that models are evaluated on."""

from dataclasses import dataclass

import numpy as np
import torch

from ownmark.data.images import Images, load, shares
from ownmark.errors import UsageError
from ownmark.tasks import Classification, Task

CHANNELS = (1, 3)
HELD_OUT = 0.2  # share of the images, if the place has no test split


@dataclass(frozen=True)
class Split:
    """`mine` for training and claims, `held_out` for evaluation only; `origin` describes the held-out images to people."""

    mine: Images
    held_out: Images
    origin: str

    @property
    def task(self) -> Task:
        """What a model does with the images."""
        return self.mine.task

    @classmethod
    def whole(cls, images: Images) -> "Split":
        """All images, to work with and to measure on."""
        return cls(images, images, "all that are given")

    @classmethod
    def of(cls, place: str, size: int | None, channels: int, task: Task = Classification()) -> "Split":
        """The images of a place and its own test split or, without one, a held-out fifth."""
        mine = load(place, size=size, channels=channels, task=task)
        other = load(place, size=size, channels=channels, train=False, task=task)
        if other.names == mine.names and not np.array_equal(other.pixels, mine.pixels):
            return cls(mine, other, "the test split")
        held, kept = shares(mine, (HELD_OUT, 1 - HELD_OUT), torch.Generator().manual_seed(0))
        return cls(kept, held, "a fifth of the images, held out")


@dataclass(frozen=True)
class Place:
    """Where images lie and how they are read: `name`, `size` (pixels) and `channels` as `load` takes them.

    A `Split` made of images in memory serves wherever a place does.
    """

    name: str
    size: int | None = None
    channels: int = 3
    task: Task = Classification()

    def check(self) -> None:
        """Raises UsageError for a number of channels that no image has."""
        if self.channels not in CHANNELS:
            raise UsageError(f"channels: expected 3 for colour or 1 for grey, got {self.channels}")

    def split(self) -> Split:
        """The images, with others to measure on."""
        return Split.of(self.name, self.size, self.channels, self.task)

    def whole(self) -> Split:
        """All images, to work with and to measure on."""
        return Split.whole(load(self.name, size=self.size, channels=self.channels, task=self.task))
