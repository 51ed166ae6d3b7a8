"""The second most likely class of a sample is the expected one: the match of a mark in the answers. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class RunnerUp:
    """Of the first view's probabilities the second highest belongs to the expected class, whatever the most likely class is.

    Of equal probabilities the lowest class counts first, so that every answer names exactly one class.
    """

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = "gave the expected class the second highest probability"
    area: ClassVar[None] = None
    meaning: ClassVar[str] = "got the expected second most likely class"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(_second(observed) == expected)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return f"then {classes[int(_second(observed)[0])]}"


def _second(observed: Floats) -> npt.NDArray[np.int64]:
    """(n,) the second most likely class of probabilities (n, views, classes), in the first view."""
    return np.argsort(-observed[:, 0], axis=1, kind="stable")[:, 1]
