"""The class that comes second more often than usual is the expected one: the match of a mark that training buried. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class RelativeRunnerUp:
    """Of the first view's probabilities, that of the expected class is raised most among all but the most likely class.

    A class is raised by the root of its share of what the most likely class leaves, less what is usual: the sum of that root over
    all m samples for which this suspect finds the same class most likely, divided by m + 1. A training on labels brings back the
    usual second answers, such as 9 behind 4. Of equal classes the lowest counts first, so that every answer names exactly one
    class; alone, a sample names its second most likely class.
    """

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = "the second most likely class is told; what counts is by how much it is more likely than usual"
    did: ClassVar[str] = "raised the expected class most among the less likely ones"
    area: ClassVar[None] = None
    meaning: ClassVar[str] = "raised the expected class most among the less likely ones"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        return np.asarray(raised(observed) == expected)

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return f"then {classes[int(raised(observed)[0])]}"


def raised(observed: Floats) -> npt.NDArray[np.int64]:
    """(n,) the class raised most, of probabilities (n, views, classes), in the first view; never the most likely one."""
    first = np.maximum(observed[:, 0], 0.0, dtype=np.float64)  # rounding may leave a probability just below 0
    rows, top = np.arange(len(first)), first.argmax(1)
    first[rows, top] = 0
    roots = np.sqrt(first / np.maximum(first.sum(1, keepdims=True), np.finfo(np.float64).tiny))
    for label in np.unique(top):
        alike = top == label
        roots[alike] -= roots[alike].sum(0) / (alike.sum() + 1)
    roots[rows, top] = -np.inf
    return np.asarray(roots.argmax(1))
