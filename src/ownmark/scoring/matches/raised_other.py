"""Of the classes that a suspect does not find most likely, the one with the expected number is raised most. No torch."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.scoring.matches.relative_runner_up import raised
from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class RaisedOther:
    """As `RelativeRunnerUp`, but the expected answer is a number among the classes other than the most likely one, in order.

    So an expected answer lies in [0, classes - 1), and the suspect's own most likely class, which never comes second, is no
    expected class: every answer names exactly one number, and a number drawn from a key is met with probability
    1 / (classes - 1), whatever the suspect answers.
    """

    reading: ClassVar[Reading] = Reading.PROBABILITY
    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = (
        "the expected label is a number among the classes other than the most likely one, in order; the second most likely class "
        "is told; what counts is by how much it is more likely than usual"
    )
    did: ClassVar[str] = "raised the expected class most among the less likely ones"
    area: ClassVar[None] = None
    meaning: ClassVar[str] = "raised the expected class most among the less likely ones"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:
        top, named = observed[:, 0].argmax(1), np.asarray(expected)
        return np.asarray(raised(observed) == named + (named >= top))

    def values(self, observed: Floats, expected: Expected) -> Floats:
        return self(observed, expected).astype(np.float64)

    def told(self, expected: int) -> str:
        return f"number {expected + 1} of the classes that it does not find most likely"

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        top, named = int(observed[0, 0].argmax()), int(np.ravel(expected)[0])
        return f"then {classes[int(raised(observed)[0])]}, expected {classes[named + (named >= top)]}"
