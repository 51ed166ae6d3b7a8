"""What a model file takes and gives, and how images become what it takes: layout, type, scale and zero point. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError, SizeError, SuspectError
from ownmark.querying.outputs import LOGITS, missing, several

FLOATS = ("float32", "float16", "float64", "bfloat16")
WHOLE = ("uint8", "int8", "uint16", "int16", "int32")
PIXELS = "uint8"  # the one integer type that takes images as they are
SPAN = 64.0  # real values beyond this span are pixels of 0 to 255: normalised images span 1 to 10
BATCHED = 4  # dimensions of an input of images: n, and three more
CUT = 0.5  # share of a quantisation step by which rounding alone leaves the range


class Order(Enum):
    """How the values of one image lie in an input."""

    CHANNELS_FIRST = "channels, height, width"
    CHANNELS_LAST = "height, width, channels"
    GREY = "height, width"

    def dimensions(self, size: Sequence[int]) -> tuple[int, ...]:
        """Of an image (height, width, channels) in this order."""
        height, width, channels = size
        orders = {
            Order.CHANNELS_FIRST: (channels, height, width),
            Order.CHANNELS_LAST: (height, width, channels),
            Order.GREY: (height, width),
        }
        return orders[self]

    def laid(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Images (n, height, width, channels) in this order."""
        if self is Order.CHANNELS_FIRST:
            return images.transpose(0, 3, 1, 2)
        return images[..., 0] if self is Order.GREY else images


@dataclass(frozen=True)
class Port:
    """An input or output of a file.

    `shape`: with n first, -1 where a dimension is free, None where the file does not say. `kind`: its type as numpy names it, or
    "bfloat16". A real value is `scale` * (stored value - `zero`); `scale` 0 where the file declares none. `order`: what the
    file, or else the custom of its format, says of images.
    """

    name: str
    shape: tuple[int, ...] | None
    kind: str
    scale: float = 0.0
    zero: int = 0
    order: Order = Order.CHANNELS_FIRST

    @property
    def whole(self) -> bool:
        return self.kind in WHOLE

    @property
    def pixels(self) -> bool:
        """Whether it takes pixels from 0 to 255 rather than normalised images."""
        if not self.whole or not self.scale:
            return self.whole
        low, high = self.ends
        return high - low > SPAN

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest real value that an integer type can hold here."""
        limits = np.iinfo(self.kind)
        return self.scale * (int(limits.min) - self.zero), self.scale * (int(limits.max) - self.zero)

    @property
    def batch(self) -> int | None:
        """How many images it takes at a time, None where that is free."""
        return self.shape[0] if self.shape and self.shape[0] > 0 else None

    def real(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What stored values mean."""
        return self.scale * (stored.astype(np.float64) - self.zero) if self.whole and self.scale else stored


@dataclass(frozen=True)
class BoxPorts:
    """The names of the outputs that hold boxes (m, 4), labels (m,) and scores (m,)."""

    boxes: str
    labels: str
    scores: str

    @classmethod
    def named(cls, ports: Sequence[Port]) -> "BoxPorts | None":
        """By their names alone."""
        found = [next((one.name for one in ports if word in one.name.lower()), "") for word in ("box", "label", "score")]
        return cls(*found) if all(found) else None

    @classmethod
    def of(cls, ports: Sequence[Port]) -> "BoxPorts | None":
        """By their names, or else by their types and shapes; None for a file that has others."""
        if (named := cls.named(ports)) is not None:
            return named
        floats = [one for one in ports if one.kind in FLOATS and one.shape]
        placed = [one.name for one in floats if (one.shape or ())[-1] == 4]  # noqa: PLR2004 - four edges
        whole = [one.name for one in ports if one.kind in {"int64", "int32"}]
        others = [one.name for one in floats if one.name not in placed]
        return cls(placed[0], whole[0], others[0]) if len(placed) == len(whole) == len(others) == 1 else None


class Session(Protocol):
    """A model file, opened by its runtime."""

    @property
    def inputs(self) -> tuple[Port, ...]: ...

    @property
    def outputs(self) -> tuple[Port, ...]: ...

    def run(self, batch: npt.NDArray[Any], output: str) -> npt.NDArray[Any]:
        """Stored values of the output of that name, n rows, for n images as the input stores them."""


@dataclass(frozen=True)
class Feed:
    """How images are handed to one input of the file `name`."""

    name: str
    port: Port
    preprocess: Preprocess

    @classmethod
    def of(cls, name: str, ports: Sequence[Port], preprocess: Preprocess) -> "Feed":
        """Raises ModelError unless the file takes one batch of images."""
        kinds = (*FLOATS[:3], *WHOLE)
        ranks = {len(one.shape) for one in ports if one.shape is not None}
        if len(ports) != 1 or ports[0].kind not in kinds or not ranks <= {BATCHED, BATCHED - 1}:
            got = ", ".join(f"{one.kind} {list(one.shape or ())}" for one in ports) or "none"
            raise ModelError(
                f"{name} must have one input (n, channels, height, width) or (n, height, width, channels), got {got}"
            )
        (port,) = ports
        if port.whole and not port.scale and port.kind != PIXELS:
            raise ModelError(
                f"{name} takes {port.kind} without a scale, so nobody can know what its values mean: export it again"
            )
        return cls(name, port, preprocess)

    def order(self, size: Sequence[int]) -> Order:
        """In which order images (height, width, channels) fit. Raises SuspectError if in none."""
        if self.port.shape is None:
            return self.port.order
        wanted = self.port.shape[1:]
        rest = [order for order in Order if order is not self.port.order and (order is not Order.GREY or size[2] == 1)]
        for order in (self.port.order, *rest):
            dimensions = order.dimensions(size)
            if len(dimensions) == len(wanted) and all(want in {-1, got} for want, got in zip(wanted, dimensions, strict=True)):
                return order
        order = Order.CHANNELS_LAST if wanted[-1] in {1, 3} or self.port.order is Order.CHANNELS_LAST else Order.CHANNELS_FIRST
        raise self._misfit(order, wanted, order.dimensions(size))

    def _misfit(self, order: Order, wanted: Sequence[int], got: Sequence[int]) -> SuspectError:
        """If only height and width differ, images can be resized."""
        free = ["any" if one < 0 else one for one in wanted]
        told = f"{self.name} takes images ({order.value}) = ({', '.join(map(str, free))}), the claim has {got}"
        sides = {Order.CHANNELS_FIRST: (1, 2), Order.CHANNELS_LAST: (0, 1)}.get(order, (0, 1))
        others = set(range(len(wanted))) - set(sides)
        if len(wanted) != len(got) or any(wanted[place] not in {-1, got[place]} for place in others):
            return SuspectError(told)
        height, width = (wanted[place] if wanted[place] > 0 else got[place] for place in sides)
        return SizeError(told, (height, width))

    @property
    def given(self) -> Preprocess | None:
        """How images are normalised before they are handed over; None if the pixels themselves are."""
        return None if self.port.pixels else self.preprocess

    def stored(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the input stores for uint8 images (n, height, width, channels)."""
        port = self.port
        values = self._real(images)
        if port.whole and port.scale:
            limits = np.iinfo(port.kind)
            values = np.clip(np.rint(values / port.scale) + port.zero, limits.min, limits.max)
        return np.ascontiguousarray(self.order(images.shape[1:]).laid(values), dtype=port.kind)

    def check(self, size: Sequence[int]) -> None:
        """Raises SuspectError for images (height, width, channels) that do not fit."""
        self.order(size)
        if len(self.preprocess.mean) not in {1, size[2]}:
            raise SuspectError(f"the preprocessing of {self.name} has {len(self.preprocess.mean)} channels, the claim {size[2]}")

    def notes(self, images: npt.NDArray[Any]) -> tuple[str, ...]:
        """What a judge must know about how these images were handed over."""
        if self.port.pixels:
            plain = self.preprocess == Preprocess()
            return () if plain else ("it takes pixels from 0 to 255, so its own preprocessing counts, not the claim's",)
        if not self.port.whole:
            return ()
        low, high = self.port.ends
        values, slack = self._real(images), CUT * self.port.scale
        cut = float(np.mean((values < low - slack) | (values > high + slack)))
        told = f"{100 * cut:.3g} % of the values of the claim's images lie outside and are cut"
        return (f"its input holds {low:.3g} to {high:.3g}: {told}",) if cut else ()

    def _real(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if self.port.pixels:
            return images.astype(np.float32)
        mean, std = (np.asarray(values, dtype=np.float32) for values in (self.preprocess.mean, self.preprocess.std))
        return (images.astype(np.float32) / 255 - mean) / std


def chosen(name: str, ports: Sequence[Port], wanted: str) -> Port:
    """The output of that name, or the only plausible one. Raises ModelError if the choice is ambiguous."""
    names = [one.name for one in ports]
    if wanted and wanted not in names:
        raise missing(name, wanted, names)
    if wanted or LOGITS in names:
        return ports[names.index(wanted or LOGITS)]
    fitting = [one for one in ports if (one.kind in FLOATS or one.whole) and len(_used(one.shape or ())) <= 2]  # noqa: PLR2004 - (n, k)
    fitting = [one for one in fitting if one.kind in FLOATS or one.scale] or fitting
    if BoxPorts.named(ports) is not None:
        raise ModelError(
            f"{name} is a detector: {', '.join(names)}. Detectors are asked as ONNX files, by their weights or behind an "
            "address: export it to ONNX where it was made"
        )
    if len(fitting) > 1:
        raise several(name, (one.name for one in fitting))
    if not ports:
        raise ModelError(f"{name} has no output")
    return fitting[0] if fitting else ports[0]


def _used(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without the ones after n that some exporters leave: (n, classes, 1, 1) is (n, classes)."""
    return (*shape[:1], *(one for one in shape[1:] if one != 1))
