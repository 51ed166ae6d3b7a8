"""Where a watermark's trigger images come from, each source a frozen dataclass that draws them from a key.

Labels are drawn from the key as well, independently of the images (`keys.labels`), unless a scheme says otherwise.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ownmark import keys
from ownmark.data import Images, load
from ownmark.errors import DataError, UsageError
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

    cells: int = 4

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


@dataclass(frozen=True)
class Content:
    """Images of the class `source` with a `text` written across their lower half (Zhang et al. 2018)."""

    source: int = 0
    text: str = "TEST"

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        ink = _written(self.text, images.size)[None, :, :, None]
        chosen = of_class(images, self.source, key, count).astype(np.int64)
        return np.asarray(chosen + (255 - chosen) * ink // 255, dtype=np.uint8)


@dataclass(frozen=True)
class Gaussian:
    """Images of the class `source` under one Gaussian noise that the key draws, of `spread` on a pixel's range of 1."""

    source: int = 0
    spread: float = 0.2

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        rng = np.random.default_rng(np.frombuffer(keys.derived(key, "noise", 0), dtype=np.uint32))
        noise = rng.normal(0, 255 * self.spread, images.size)
        return np.asarray((of_class(images, self.source, key, count) + noise).round().clip(0, 255), dtype=np.uint8)


def of_class(images: Images, label: int, key: bytes, count: int) -> keys.Pixels:
    """The pixels of `count` images of one class, chosen by the key. Raises DataError where there are fewer."""
    rows = np.flatnonzero(images.labels == label)
    if len(rows) < count:
        raise DataError(
            f"{count} images of class {label} are needed, but the owner brings {len(rows)} (the classes are 0 to "
            f"{len(images.names) - 1}): bring more, choose another class, or ask for fewer triggers"
        )
    return images.pixels[rows[keys.chosen(key, count, len(rows))]]


def _written(text: str, size: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """(height, width) in 0 to 255: the ink of a text, as large as fits into the lower half."""
    height, width, _ = size
    sheet = Image.new("L", (width, height))
    pen = ImageDraw.Draw(sheet)
    sizes = range(height // 2, 3, -1)
    fitting = (font for font in map(ImageFont.load_default, sizes) if pen.textlength(text, font) <= width)
    font = next(fitting, None)
    if font is None:
        raise UsageError(f"the text {text!r} does not fit into images of {height} x {width}: choose a shorter one")
    pen.text((width / 2, 3 * height / 4), text, fill=255, font=font, anchor="mm")
    return np.asarray(sheet, dtype=np.int64)
