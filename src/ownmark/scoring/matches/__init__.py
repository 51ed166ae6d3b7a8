"""When an answer matches: named pure functions, one file per kind, one import line per match, which registers it. No torch."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ownmark.errors import ClaimError
from ownmark.registries import kinds
from ownmark.scoring.matches.agreement import Agreement as Agreement
from ownmark.scoring.matches.base import Area as Area
from ownmark.scoring.matches.base import Combining as Combining
from ownmark.scoring.matches.base import Deviating as Deviating
from ownmark.scoring.matches.base import Graded as Graded
from ownmark.scoring.matches.base import Match as Match
from ownmark.scoring.matches.base import Moving as Moving
from ownmark.scoring.matches.base import Numbering as Numbering
from ownmark.scoring.matches.base import Retaken as Retaken
from ownmark.scoring.matches.base import Score as Score
from ownmark.scoring.matches.base import Stepped as Stepped
from ownmark.scoring.matches.best_mapped import BestMapped as BestMapped
from ownmark.scoring.matches.best_of import BestOf as BestOf
from ownmark.scoring.matches.crossed_residual import CrossedResidual as CrossedResidual
from ownmark.scoring.matches.expected_answer import Near as Near
from ownmark.scoring.matches.expected_answer import Within as Within
from ownmark.scoring.matches.masked_number import Fall as Fall
from ownmark.scoring.matches.masked_number import Shift as Shift
from ownmark.scoring.matches.masked_number import Swing as Swing
from ownmark.scoring.matches.masked_probability import Change as Change
from ownmark.scoring.matches.masked_probability import Drop as Drop
from ownmark.scoring.matches.masked_probability import Turn as Turn
from ownmark.scoring.matches.on_pattern import OnPattern as OnPattern
from ownmark.scoring.matches.on_pattern import OnPatternAgainst as OnPatternAgainst
from ownmark.scoring.matches.raised_other import RaisedOther as RaisedOther
from ownmark.scoring.matches.ranked_group import RankedGroup as RankedGroup
from ownmark.scoring.matches.ranked_other import RankedOther as RankedOther
from ownmark.scoring.matches.relative_runner_up import RelativeRunnerUp as RelativeRunnerUp
from ownmark.scoring.matches.runner_up import RunnerUp as RunnerUp
from ownmark.scoring.readings import Bools, Expected, Floats, Reading
from ownmark.statistics.p_values import clopper_pearson

MATCHES: tuple[type[Match], ...] = kinds(vars(), __name__)


def together(match: Match) -> bool:
    """Whether all samples decide together, so that a few of them may say less than their share."""
    return isinstance(match, Graded | RelativeRunnerUp | RaisedOther)


def weighed(match: Match) -> bool:
    """Whether what it calls expected answers are weights, so that a sample has none to show."""
    return isinstance(match, Graded) and not isinstance(match, Numbering)


def scored(match: Match, observed: Floats, expected: Expected, confidence: float) -> tuple[Bools, Score]:
    """Which samples match, and the score: of a graded match by its own rule, else their share with its exact interval."""
    matches = match(observed, expected)
    if isinstance(match, Graded):
        return matches, match.graded(match.values(observed, expected), confidence)
    return matches, Score(float(np.mean(matches)), clopper_pearson(int(matches.sum()), len(matches), confidence))


def to_record(match: Match) -> dict[str, Any]:
    """Plain JSON data of a match: its name and parameters."""
    return {"name": type(match).__name__, **asdict(match)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Match:
    """The match that `to_record` described. Raises ClaimError for a match unknown to this version."""
    known = {kind.__name__: kind for kind in MATCHES}
    values = {key: _tuples(value) for key, value in record.items() if key != "name"}
    try:
        values |= {key: Reading(value) for key, value in values.items() if key == "reading"}
        match: Match = known[record["name"]](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(f"unknown match {dict(record)}; this version knows {', '.join(known)}") from error
    return match


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
