"""Sources of a watermark's trigger images: frozen dataclasses that draw them from a key.

Labels are drawn from the key too, independently of the images (`keys.labels`), unless a scheme says otherwise. The key of
keyed triggers is derived last, from every choice that could influence them (`evidence.choices`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import nn

from ownmark import keys
from ownmark.data.images import Images, load
from ownmark.errors import DataError, UsageError
from ownmark.evidence.choices import LABELS, Choices, rule_of
from ownmark.evidence.commitment import CELLS
from ownmark.models.prepared import preprocess_of
from ownmark.models.weights import weights_digest
from ownmark.protocols import Owner, Scheme
from ownmark.scoring.keyed_labels import fewest_classes
from ownmark.scoring.null_models import KeyedLabels, Null, Uncalibrated


@dataclass(frozen=True)
class Origin:
    """What a judge needs to recreate the images from a key alone.

    `cells`: of patterns, 0 for other images; `pool`: digest of the images that a key picks from, "" for other images. With
    neither, the images cannot be recreated.
    """

    cells: int = 0
    pool: str = ""


class Source(Protocol):
    """A source of trigger images: a frozen dataclass with one method."""

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        """(count, height, width, channels) uint8 in the size of the owner's `images`, determined by the key.

        Or (count, views, height, width, channels): with each trigger, the first view, images that are asked about beside it.
        """

    def origin(self, images: Images) -> Origin:
        """The images' origin, fixed before the key exists."""


@dataclass(frozen=True)
class Patterns:
    """Abstract images: `cells` x `cells` random colours with soft transitions (after the abstract images of Adi et al. 2018).

    Low frequencies only: a network that pools its last map cannot distinguish noise images.
    """

    cells: int = 4

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        return keys.patterns(key, count, images.size, self.cells)

    def origin(self, images: Images) -> Origin:  # noqa: ARG002 - the protocol's signature
        return Origin(cells=self.cells if self.cells in CELLS else 0)


@dataclass(frozen=True)
class Natural:
    """Unrelated images that the key picks from the place `pool`, as `data.load` reads it; their order does not matter."""

    pool: str

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        return keys.picked(key, count, self._pool(images))

    def origin(self, images: Images) -> Origin:
        return Origin(pool=keys.pool_digest(self._pool(images)))

    def _pool(self, images: Images) -> keys.Pixels:
        height, width, channels = images.size
        if height != width:
            raise UsageError(f"images from a pool are square, but the owner's are {height} x {width}")
        return load(self.pool, size=height, channels=channels).pixels


@dataclass(frozen=True)
class Ordinary:
    """Unchanged images of the owner's, picked by the key: nobody can tell them from ordinary questions."""

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        if count > len(images):
            raise DataError(f"expected at least {count} images to pick triggers from, got {len(images)}: bring more")
        return keys.picked(key, count, images.pixels)

    def origin(self, images: Images) -> Origin:
        return Origin(pool=keys.pool_digest(images.pixels))


@dataclass(frozen=True, eq=False)
class Triggers:
    """`views` (n, views, height, width, channels) uint8, the `labels` (n,) that a marked model gives them, and their null.

    The first view is the trigger, the others are asked about beside it. `choices`: JSON data of the commitments made before the
    key was drawn.
    """

    views: keys.Pixels
    labels: npt.NDArray[np.int64]
    null: Null = field(default_factory=Uncalibrated)
    choices: Mapping[str, Any] | None = None

    @classmethod
    def alone(cls, images: keys.Pixels, labels: npt.NDArray[np.int64], null: Null = Uncalibrated()) -> "Triggers":
        """Triggers (n, height, width, channels) with nothing beside them."""
        return cls(images[:, None], labels, null)

    @property
    def images(self) -> keys.Pixels:
        """(n, height, width, channels): the triggers."""
        return self.views[:, 0]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> "Triggers":
        """The first `count` triggers, without a null."""
        return Triggers(self.views[:count], self.labels[:count])


@runtime_checkable
class Keyed(Protocol):
    """A scheme with labels from a key: `sets` of `triggers` each, with images from a `source`."""

    @property
    def source(self) -> Source: ...
    @property
    def sets(self) -> int: ...
    @property
    def triggers(self) -> int: ...


def access_of(scheme: object) -> str:
    """What suspects are asked for: labels, unless the scheme names its own `access`."""
    return getattr(scheme, "access", LABELS)


def chosen_by(owner: Owner, scheme: Keyed, model: nn.Module) -> Choices:
    """Everything that the owner chooses before the key exists; `model` is not yet marked."""
    if scheme.sets < 1 or scheme.triggers < 1:
        got = f"{scheme.sets} sets of {scheme.triggers}"
        raise UsageError(f"expected at least one set of at least one trigger, got {got}")
    origin = scheme.source.origin(owner.images)
    return Choices(
        owner=owner.public,
        scheme=repr(scheme),
        classes=owner.images.names,
        cells=origin.cells,
        pool=origin.pool,
        sets=scheme.sets,
        triggers=scheme.triggers,
        size=owner.images.size,
        model=weights_digest(model),
        preprocess=preprocess_of(model),
        alpha=owner.alpha,
        access=access_of(scheme),
    )


def keyed(scheme: Keyed, owner: Owner, model: nn.Module) -> Triggers:
    """The scheme's triggers: each set draws images and labels from its own key, derived last. The null is exact."""
    choices = chosen_by(owner, scheme, model)
    null = choices.null(owner.key, owner.pulse)
    return Triggers(drawn(scheme.source, null, owner.images), null.labels(), null, choices.record)


def as_keyed(scheme: Scheme) -> Keyed:
    """Raises UsageError unless the labels of the scheme come from a key."""
    if not isinstance(scheme, Keyed):
        raise UsageError(f"only a watermark whose labels come from a key takes a pledge, got {scheme}")
    return scheme


def sized(scheme: Keyed, classes: int) -> KeyedLabels:
    """The null of such a scheme's labels under some key: what their number alone says about p, before a key is drawn."""
    rule = rule_of(access_of(scheme))
    enough = max(classes, fewest_classes(rule))  # the scheme itself refuses fewer
    return KeyedLabels.read_by(rule, enough, "00" * keys.KEY_BYTES, scheme.triggers, scheme.sets)


def drawn(source: Source, null: KeyedLabels, images: Images) -> keys.Pixels:
    """(n, views, height, width, channels) uint8: the images of all sets of the null, in order."""
    found = np.concatenate([source.draw(key, null.triggers, images) for key in null.set_keys])
    return found[:, None] if found.ndim == 1 + len(images.size) else found


@dataclass(frozen=True)
class Content:
    """Images of the class `source` with a `text` across their lower half (Zhang et al. 2018)."""

    source: int = 0
    text: str = "TEST"

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        ink = _written(self.text, images.size)[None, :, :, None]
        chosen = of_class(images, self.source, key, count).astype(np.int64)
        return np.asarray(chosen + (255 - chosen) * ink // 255, dtype=np.uint8)

    def origin(self, images: Images) -> Origin:  # noqa: ARG002 - the protocol's signature
        return Origin()


@dataclass(frozen=True)
class Gaussian:
    """Images of the class `source` with one Gaussian noise from the key, of standard deviation `spread` on the pixel range 1."""

    source: int = 0
    spread: float = 0.2

    def draw(self, key: bytes, count: int, images: Images) -> keys.Pixels:
        rng = np.random.default_rng(np.frombuffer(keys.derived(key, "noise", 0), dtype=np.uint32))
        noise = rng.normal(0, 255 * self.spread, images.size)
        return np.asarray((of_class(images, self.source, key, count) + noise).round().clip(0, 255), dtype=np.uint8)

    def origin(self, images: Images) -> Origin:  # noqa: ARG002 - the protocol's signature
        return Origin()


def of_class(images: Images, label: int, key: bytes, count: int) -> keys.Pixels:
    """The pixels of `count` images of one class, picked by the key. Raises DataError if there are too few."""
    rows = np.flatnonzero(images.labels == label)
    if len(rows) < count:
        raise DataError(
            f"expected {count} images of class {label}, got {len(rows)} (the classes are 0 to "
            f"{len(images.names) - 1}): provide more, choose another class, or ask for fewer triggers"
        )
    return keys.picked(key, count, images.pixels[rows])


def _written(text: str, size: tuple[int, int, int]) -> npt.NDArray[np.int64]:
    """(height, width) in 0 to 255: the rendered text, as large as fits the lower half."""
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
