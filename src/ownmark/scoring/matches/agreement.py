"""The label of a sample is the expected one: the match of IPGuard and of every watermark. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class Agreement:
    """The label of the first view is the expected one."""

    reading: ClassVar[Reading] = Reading.LABEL
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = "gave the expected label"
    area: ClassVar[None] = None
    meaning: ClassVar[str] = "got the expected label"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(observed[:, 0] == expected)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return classes[int(observed[0, 0])]
