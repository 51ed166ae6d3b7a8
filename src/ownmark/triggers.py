"""Where a watermark's trigger images come from, each source a frozen dataclass that draws them from a key.

Labels are drawn from the key as well, independently of the images (`keys.labels`), unless a scheme says otherwise.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ownmark import keys
from ownmark.data import Images, load
from ownmark.errors import UsageError
from ownmark.null import KeyedLabels, Null, Uncalibrated


class Source(Protocol):
    """A frozen dataclass of its parameters with one verb."""

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        """(count, height, width, channels) uint8 of the size of the owner's `images`, the same for the same key."""


@dataclass(frozen=True)
class Patterns:
    """Abstract images: `cells` x `cells` random colours with soft transitions (after the abstract images of Adi et al. 2018).

    Low frequencies only: images of noise look all alike to a network that pools its last map.
    """

    cells: int = 6

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        return keys.patterns(key, count, images.size, self.cells)


@dataclass(frozen=True)
class Natural:
    """Images of another kind, chosen by the key from the place `pool`: whatever `data.load` reads."""

    pool: str

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        height, width, channels = images.size
        if height != width:
            raise UsageError(f"images of a pool are brought to a square size, but the owner's are {height} x {width}")
        pool = load(self.pool, size=height, channels=channels).pixels
        return np.ascontiguousarray(pool[keys.chosen(key, count, len(pool))])


@dataclass(frozen=True, eq=False)
class Triggers:
    """`images` (n, height, width, channels) uint8, the `labels` (n,) that a marked model answers, and the null of both."""

    images: keys.Pixels
    labels: npt.NDArray[np.int64]
    null: Null = field(default_factory=Uncalibrated)

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Triggers":
        """The first `count` of them, without a null."""
        return Triggers(self.images[:count], self.labels[:count])


def keyed(source: Source, key: bytes, images: Images, *, sets: int, each: int) -> Triggers:
    """`sets` of `each` triggers, every set with images and labels from a key of its own: the null is exact."""
    if sets < 1 or each < 1:
        raise UsageError(f"a watermark needs one set or more of one trigger or more, got {sets} sets of {each}")
    null = KeyedLabels(key.hex(), each, len(images.names), sets)
    drawn = [source.draw(keys.set_key(key, number), each, images) for number in range(sets)]
    return Triggers(np.concatenate(drawn), null.labels(), null)
