"""A number or an embedding is near the expected one. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Reading, check_number, check_share


@dataclass(frozen=True)
class Within:
    """The answer for the first view (a VALUE or a SIMILARITY) is at most `threshold` from the expected one (n,)."""

    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = "gave the expected number"
    area: ClassVar[None] = None
    threshold: float
    reading: Reading = Reading.VALUE

    def __post_init__(self) -> None:
        check_number(self.threshold, self.reading)

    @property
    def meaning(self) -> str:
        return f"got the expected {self.reading}, within {self.threshold:.3g}"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(np.abs(observed[:, 0] - expected) <= self.threshold)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return self.reading.value


@dataclass(frozen=True)
class Near:
    """The cosine between the first view's embedding and the expected one (n, d) is at least `threshold`."""

    reading: ClassVar[Reading] = Reading.EMBEDDING
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = "gave the expected embedding"
    area: ClassVar[None] = None
    threshold: float

    def __post_init__(self) -> None:
        check_share(self.threshold)

    @property
    def meaning(self) -> str:
        return f"got the expected embedding (cosine at least {self.threshold:.3g})"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        first = observed[:, 0]
        lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(expected, axis=1)
        return np.asarray((first * expected).sum(axis=1) >= self.threshold * lengths)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return self.reading.value
