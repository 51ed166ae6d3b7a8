"""How an innocent model matches, and so how surprising a suspect's score is. No torch.

A claim starts `Uncalibrated`; `calibrate` replaces its null by `Innocents`. Keyed labels need neither: `KeyedLabels`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from ownmark.errors import ClaimError
from ownmark.scoring.keyed_labels import HITS
from ownmark.scoring.keyed_labels import KeyedLabels as KeyedLabels  # noqa: PLC0414 - one of the nulls that this file lists
from ownmark.scoring.matches import Match
from ownmark.scoring.readings import Labels
from ownmark.statistics.p_values import innocents_needed, rank_p


class Null(Protocol):
    """Computes the p-value of a score; `smallest` is the smallest that it can reach."""

    @property
    def scores(self) -> tuple[float, ...]:
        """How innocent models did, each in [0, 1]; empty where none were asked."""

    @property
    def models(self) -> tuple[str, ...]:
        """The digest of the innocent model behind each score."""

    @property
    def calibrated(self) -> bool:
        """Whether p can be below 1."""

    @property
    def keyed(self) -> KeyedLabels | None:
        """The key behind the expected labels, with what p owes to it; None where they come from no key."""

    @property
    def luck(self) -> float | None:
        """The share of samples that a model matches by luck alone; None where that is not known."""

    @property
    def smallest(self) -> float:
        """The smallest p-value that any score can reach."""

    def p_value(self, score: float) -> float:
        """Upper bound on the probability that an innocent model scores at least `score`."""

    def threshold(self, alpha: float) -> float | None:
        """The score that a suspect must exceed for p <= alpha; None if no score suffices."""

    def advice(self, alpha: float) -> str:
        """What would let p reach `alpha`, as one sentence without its full stop."""

    def check(self, match: Match, expected: Labels, classes: int) -> None:
        """Raises ClaimError if these p-values are not valid for such a test."""


@dataclass(frozen=True)
class Uncalibrated:
    """Nothing is known about innocent models: p = 1, so the claim can never be supported."""

    scores: ClassVar[tuple[float, ...]] = ()
    models: ClassVar[tuple[str, ...]] = ()
    calibrated: ClassVar[bool] = False
    keyed: ClassVar[None] = None
    luck: ClassVar[None] = None
    smallest: ClassVar[float] = 1.0

    def p_value(self, score: float) -> float:  # noqa: ARG002 - the protocol's signature
        return 1.0

    def threshold(self, alpha: float) -> float | None:  # noqa: ARG002 - the protocol's signature
        return None

    def advice(self, alpha: float) -> str:
        return _calibrate(alpha)

    def check(self, match: Match, expected: Labels, classes: int) -> None:
        """Fits every test."""


@dataclass(frozen=True)
class Innocents:
    """Scores of m innocent models that played no part in building or choosing the fingerprint: p = (1 + #{s_j >= s}) / (m + 1).

    Exact if an innocent suspect is exchangeable with them; ties count against the owner. `models` holds one digest per score, so
    that no model counts twice.
    """

    calibrated: ClassVar[bool] = True
    keyed: ClassVar[None] = None
    luck: ClassVar[None] = None
    scores: tuple[float, ...]
    models: tuple[str, ...] = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.scores, tuple) or not isinstance(self.models, tuple):
            raise ClaimError("the scores and models of innocents must be tuples")
        if not self.scores or len(self.scores) != len(self.models) or len(set(self.models)) != len(self.models):
            raise ClaimError("innocents need one score per model, of at least one model, all distinct")
        if not all(isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1 for score in self.scores):
            raise ClaimError(f"the scores of innocents must be numbers in [0, 1], got {self.scores}")
        if not all(isinstance(model, str) for model in self.models):
            raise ClaimError(f"expected the digests of the innocent models, got {self.models}")

    @property
    def smallest(self) -> float:
        return 1 / (len(self.scores) + 1)

    def p_value(self, score: float) -> float:
        return rank_p(score, self.scores)

    def threshold(self, alpha: float) -> float | None:
        count, scores = len(self.scores) + 1, self.scores
        enough = [least for least in scores if (1 + sum(other > least for other in scores)) / count <= alpha]
        return min(enough, default=None)

    def advice(self, alpha: float) -> str:
        return _calibrate(alpha)

    def check(self, match: Match, expected: Labels, classes: int) -> None:
        """Fits every test."""


NULLS: tuple[type, ...] = (Uncalibrated, Innocents, KeyedLabels)


def to_record(null: Null) -> dict[str, Any]:
    """Plain JSON data of a null: its name and parameters; an empty context and hits are omitted, as in older files."""
    found = {"name": type(null).__name__, **asdict(null)}  # type: ignore[call-overload]
    return {name: value for name, value in found.items() if (name, value) not in {("context", ""), ("counts", HITS)}}


def from_record(record: Mapping[str, Any]) -> Null:
    """The null that `to_record` described. Raises ClaimError for a null unknown to this version."""
    kinds = {kind.__name__: kind for kind in NULLS}
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items() if key != "name"}
    try:
        null: Null = kinds[record["name"]](**values)
    except (KeyError, TypeError) as error:
        raise ClaimError(f"unknown null {record.get('name')!r}; this version knows {', '.join(kinds)}") from error
    return null


def _calibrate(alpha: float) -> str:
    return f"Calibrate with at least {innocents_needed(alpha)} innocent models"
