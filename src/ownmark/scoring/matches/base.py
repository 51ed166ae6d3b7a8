"""The protocol of a match, on which the judge, the claim and the report rely. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from ownmark.scoring.readings import Bools, Expected, Floats, Reading


@dataclass(frozen=True)
class Area:
    """Where on the map a fingerprint lies: `cells` ((row, column), ...) of a `grid` (rows, columns)."""

    cells: tuple[tuple[int, int], ...]
    grid: tuple[int, int]

    @property
    def share(self) -> float:
        """The share of the map that it covers."""
        return len(set(self.cells)) / (self.grid[0] * self.grid[1])


class Match(Protocol):
    """A frozen dataclass of its thresholds; maps `observed` (n, views, ...) and `expected` answers to (n,) bool."""

    paired: ClassVar[bool]  # whether it expects two answers per sample, (n, 2): the label and the protected model's own answer
    sides: ClassVar[int]  # 1: matches if `values` is at least the threshold, 2: or at most minus that, 0: neither
    legend: ClassVar[str]  # the report's explanation of what `shown` prints, "" if none is needed
    did: ClassVar[str]  # half a sentence for the report, in plain words: what the model did; {place}: the marked place

    @property
    def reading(self) -> Reading:
        """The kind of answer that it compares."""

    @property
    def views(self) -> int:
        """How many views of each sample it needs."""

    @property
    def meaning(self) -> str:
        """Half a sentence with the thresholds: what the model did on a matching sample."""

    @property
    def area(self) -> Area | None:
        """Where on the map the fingerprint lies; None for a match that uses no map."""

    def __call__(self, observed: Floats, expected: Expected) -> Bools: ...

    def values(self, observed: Floats, expected: Expected) -> Floats:
        """(n,): what is compared with the threshold; 1 for a match and 0 otherwise if there is no threshold."""

    def shown(self, observed: Floats, expected: Expected, classes: tuple[str, ...]) -> str:
        """The report's caption for one sample, from its answers (1, views, ...) and the expected ones (1, ...)."""


@dataclass(frozen=True)
class Score:
    """How far a suspect matches, in [0, 1], and the confidence interval around that."""

    value: float
    interval: tuple[float, float]


@runtime_checkable
class Graded(Protocol):
    """What a match has more if its score is no share of matching samples but a mean of their `values`."""

    def graded(self, values: Floats, confidence: float) -> Score:
        """The score of values (n,), and its interval."""

    def check(self, expected: Expected, classes: int) -> None:
        """Raises ClaimError for expected answers (n, ...) that it cannot use."""


@runtime_checkable
class Retaken(Protocol):
    """What a match has more if a judge can take its score anew on images of his own, without the expected answers."""

    def anew(self, target: Floats, suspect: Floats, others: Floats, classes: int) -> float | None:
        """The score among `others` (models, n, ...), at least two, from answers (n, ...); None if `target` has none there."""


@runtime_checkable
class Deviating(Protocol):
    """What a match has more if its mean value is a residual: 1 for the protected model, 0 on average for an independent one."""

    @property
    def middle(self) -> float:
        """The residual that scores one half."""

    def common(self, observed: Floats, expected: Expected) -> float:
        """The part of the residual that one answer to all images would have, the mean of those that were given."""

    def alike(self, expected: Expected) -> float:
        """How much of the weights is the same for all images, in [0, 1]."""

    def varied(self, observed: Floats, expected: Expected) -> float:
        """How much of the answers differs from image to image, in [0, 1]: 0 if all are the same."""


@runtime_checkable
class Stepped(Protocol):
    """What a match has more if it compares a change of a number with a threshold: the number may be rounded."""

    @property
    def threshold(self) -> float:
        """The change that is asked for."""

    def surely(self, observed: Floats, expected: Expected, step: float) -> Bools:
        """Which changes reach the threshold whatever was rounded away, if answers are multiples of `step`."""


@runtime_checkable
class Moving(Protocol):
    """What a match has more if it asks for a change from one view to the other by at least a threshold."""

    @property
    def threshold(self) -> float:
        """The change that is asked for."""

    def widest(self, observed: Floats) -> float:
        """How far any answered number moves over both views of all samples: no change is larger."""


@runtime_checkable
class Numbering(Protocol):
    """What a match has more if an expected answer is a number whose class each answer decides."""

    def told(self, expected: int) -> str:
        """The expected answer in words for a report, where no answer is at hand."""


@runtime_checkable
class Combining(Protocol):
    """What a match has more if it asks nothing itself and combines the scores of other tests of its claim."""

    @property
    def tests(self) -> tuple[int, ...]:
        """Their places in the claim."""

    def counted(self, place: int, score: Score) -> Score:
        """The score of the test in that place as it is compared with the others."""

    def of(self, scores: Mapping[int, Score]) -> Score:
        """The score that these tests' scores give, by their places, and its interval."""

    def check_parts(self, matches: Sequence[Match]) -> None:
        """Raises ClaimError if it cannot combine what it names of the `matches` of all its claim's tests, in their order."""
