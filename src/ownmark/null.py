"""How an innocent model matches, and so how surprising a suspect's score is. No torch.

A claim starts `Uncalibrated`; `calibrate` turns its null into `Innocents`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Protocol

from scipy.special import betaincinv

from ownmark.errors import ClaimError


class Null(Protocol):
    """Gives the p-value of a score; `smallest` is the least that it can ever give."""

    @property
    def smallest(self) -> float:
        """The smallest p-value that any score could reach."""

    def p_value(self, score: float) -> float:
        """Probability, bounded from above, that an innocent model scores at least `score`."""


@dataclass(frozen=True)
class Uncalibrated:
    """Nothing is known of innocent models: p = 1, so that the claim can never be upheld."""

    @property
    def smallest(self) -> float:
        return 1.0

    def p_value(self, score: float) -> float:  # noqa: ARG002 - the protocol's signature
        return 1.0


@dataclass(frozen=True)
class Innocents:
    """Scores of m reference models that neither built nor chose the fingerprint: p = (1 + #{s_j >= s}) / (m + 1).

    Exact if the suspect, were it innocent, is exchangeable with them; ties count against the owner. `models` holds one
    digest per score, so that no model counts twice.
    """

    scores: tuple[float, ...]
    models: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.scores or len(self.scores) != len(self.models) or len(set(self.models)) != len(self.models):
            raise ClaimError("innocents need one score for each of one or more different models")
        if not all(isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1 for score in self.scores):
            raise ClaimError(f"the scores of innocents are numbers in [0, 1], got {self.scores}")
        if not all(isinstance(model, str) for model in self.models):
            raise ClaimError(f"innocent models are named by their digests, got {self.models}")

    @property
    def smallest(self) -> float:
        return 1 / (len(self.scores) + 1)

    def p_value(self, score: float) -> float:
        return (1 + sum(other >= score for other in self.scores)) / (len(self.scores) + 1)


NULLS: tuple[type, ...] = (Uncalibrated, Innocents)


def to_record(null: Null) -> dict[str, Any]:
    """Plain JSON data of a null: its name and its parameters."""
    return {"name": type(null).__name__, **asdict(null)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Null:
    """The null that `to_record` described. Raises ClaimError for one that this version does not know."""
    kinds = {kind.__name__: kind for kind in NULLS}
    values = {key: tuple(value) for key, value in record.items() if key != "name"}
    try:
        null: Null = kinds[record["name"]](**values)
    except (KeyError, TypeError) as error:
        raise ClaimError(f"this version knows no null {record.get('name')!r}; it knows {', '.join(kinds)}") from error
    return null


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a proportion (Clopper & Pearson 1934): `successes` of `trials`, both ends in [0, 1]."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def innocents_needed(alpha: float) -> int:
    """The fewest innocent models with which p can reach `alpha` in (0, 1): the least m with 1 / (m + 1) <= alpha."""
    guess = int(1 / Fraction(alpha))
    return next(count for count in range(max(guess - 2, 1), guess + 2) if 1 / (count + 1) <= alpha)
