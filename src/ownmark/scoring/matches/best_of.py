"""The best score of several tests: one rule for several traces, fixed before anybody is asked. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ownmark.errors import ClaimError
from ownmark.scoring.matches.base import Combining, Match, Score
from ownmark.scoring.readings import Bools, Expected, Floats, Reading

ACCESS = {Reading.SALIENCY: 2, Reading.LABEL: 0}  # how much a reading shows; probabilities and numbers lie between: 1


@dataclass(frozen=True)
class BestOf:
    """The highest of the scores of the claim's `tests`, by their places; innocent models are scored by the same rule.

    It asks nothing itself: a suspect that answers all these tests has its score. `reading`: the strongest of theirs.
    """

    views: ClassVar[int] = 1
    paired: ClassVar[bool] = False
    sides: ClassVar[int] = 0
    legend: ClassVar[str] = ""
    did: ClassVar[str] = "was tested in several ways, of which the one that speaks most for a copy counts"
    area: ClassVar[None] = None
    reading: Reading
    tests: tuple[int, ...]

    def __post_init__(self) -> None:
        whole = isinstance(self.tests, tuple) and all(type(place) is int and place >= 0 for place in self.tests)
        if not whole or len(set(self.tests)) != len(self.tests) or len(self.tests) < 2:  # noqa: PLR2004 - one has no best
            raise ClaimError(f"expected the places of at least two tests, got {self.tests!r}")

    @property
    def meaning(self) -> str:
        return f"matched in the best of {len(self.tests)} tests, all of which it answered"

    def __call__(self, observed: Floats, expected: Expected) -> Bools:  # noqa: ARG002 - the other tests' matches count
        return np.zeros(len(expected), dtype=np.bool_)

    def values(self, observed: Floats, expected: Expected) -> Floats:  # noqa: ARG002 - the same
        return np.zeros(len(expected))

    def graded(self, values: Floats, confidence: float) -> Score:  # noqa: ARG002 - `of` gives the score
        return Score(0.0, (0.0, 1.0))

    def counted(self, place: int, score: Score) -> Score:  # noqa: ARG002 - all scores count as they are
        """The score of the test in that place as it is compared with the others."""
        return score

    def of(self, scores: Mapping[int, Score]) -> Score:
        """The best of the tests' scores. Its interval covers, as far as each of theirs does, the best of what they estimate."""
        lows, highs = zip(*(score.interval for score in scores.values()), strict=True)
        return Score(max(score.value for score in scores.values()), (max(lows), max(highs)))

    def check_parts(self, matches: Sequence[Match]) -> None:
        """Raises ClaimError unless the tests are there, each of its own, and `reading` is one of theirs that shows most.

        Otherwise it could declare maps that nobody has to show, and pass for a test that no random answers pass.
        """
        parts = [matches[place] for place in self.tests if place < len(matches)]
        if len(parts) < len(self.tests) or any(isinstance(part, Combining) for part in parts):
            raise ClaimError(f"the best of the tests {self.tests} needs them in the claim, and each a test of its own")
        most = max(ACCESS.get(part.reading, 1) for part in parts)
        strongest = {part.reading for part in parts if ACCESS.get(part.reading, 1) == most}
        if self.reading not in strongest:
            named = " or ".join(sorted(strongest))
            raise ClaimError(f"the best of several tests needs the strongest of their readings, {named}, got {self.reading}")

    def check(self, expected: Expected, classes: int) -> None:  # noqa: ARG002 - there is nothing to expect
        if np.any(expected != 0):
            raise ClaimError("the best of several tests expects no answers of its own: zeros")

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:  # noqa: ARG002
        return ""
