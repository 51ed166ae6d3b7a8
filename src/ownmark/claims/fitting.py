"""How pictures are brought to a model's size, as whoever trained it says: plain data, which a claim keeps. No torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from ownmark.errors import ClaimError

FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")  # Pillow's, all but the first with antialiasing
MOST = 2**14  # pixels of a side
BOTH = 2  # sides


@dataclass(frozen=True)
class Fitting:
    """Scale, then crop from the centre.

    `size`: height and width that are cut out, in pixels; `scaled`: what is scaled to before, (shorter side,) or (height, width);
    `interpolation`: one of FILTERS. A picture that is smaller than the cut is framed in black.
    """

    size: tuple[int, int]
    scaled: tuple[int, ...]
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        sides = (*self.size, *self.scaled)
        if len(self.size) != BOTH or len(self.scaled) not in {1, BOTH} or not all(_is_side(side) for side in sides):
            got = f"{self.size} and {self.scaled}"
            raise ClaimError(f"expected sizes of 1 to {MOST} pixels, (height, width) and (shorter side,), got {got}")
        if self.interpolation not in FILTERS:
            raise ClaimError(f"interpolation is one of {', '.join(FILTERS)}; got {self.interpolation!r}")

    def to(self, side: int) -> "Fitting":
        """The same for squares of another side, so that as large a share of each picture is cut off."""
        shares = zip(self.scaled, self.size if len(self.scaled) == BOTH else (min(self.size),), strict=True)
        return replace(self, size=(side, side), scaled=tuple(round(side * scaled / cut) for scaled, cut in shares))

    def __str__(self) -> str:
        """In words."""
        way = self.interpolation + (", antialiased" if self.interpolation != "nearest" else "")
        scaled = f"the shorter side scaled to {self.scaled[0]}" if len(self.scaled) == 1 else f"scaled to {_by(self.scaled)}"
        return f"{scaled} ({way}), the middle {_by(self.size)} cut out"

    def record(self) -> dict[str, Any]:
        """JSON data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Fitting":
        """The fitting of that JSON data. Raises an error for data that is none."""
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
        return cls(**values)


def _is_side(side: object) -> bool:
    return type(side) is int and 1 <= side <= MOST


def _by(sides: tuple[int, ...]) -> str:
    return f"{sides[1]}x{sides[0]}"
