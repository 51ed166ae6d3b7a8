"""When an answer matches: named pure functions, one file per kind and one import line each. No torch."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ownmark.errors import ClaimError
from ownmark.scoring.matches.agreement import Agreement
from ownmark.scoring.matches.base import Area, Match
from ownmark.scoring.matches.expected_answer import Near, Within
from ownmark.scoring.matches.masked_number import Fall, Shift, Swing
from ownmark.scoring.matches.masked_probability import Change, Drop, Turn
from ownmark.scoring.matches.on_pattern import OnPattern, OnPatternAgainst
from ownmark.scoring.readings import Reading

__all__ = [
    "MATCHES",
    "Agreement",
    "Area",
    "Change",
    "Drop",
    "Fall",
    "Match",
    "Near",
    "OnPattern",
    "OnPatternAgainst",
    "Shift",
    "Swing",
    "Turn",
    "Within",
    "from_record",
    "to_record",
]

MATCHES: tuple[type[Match], ...] = (Agreement, Drop, Change, Turn, OnPattern, OnPatternAgainst, Fall, Shift, Swing, Within, Near)


def to_record(match: Match) -> dict[str, Any]:
    """Plain JSON data of a match: its name and parameters."""
    return {"name": type(match).__name__, **asdict(match)}  # type: ignore[call-overload]


def from_record(record: Mapping[str, Any]) -> Match:
    """The match that `to_record` described. Raises ClaimError for a match unknown to this version."""
    kinds = {kind.__name__: kind for kind in MATCHES}
    values = {key: _tuples(value) for key, value in record.items() if key != "name"}
    try:
        values |= {key: Reading(value) for key, value in values.items() if key == "reading"}
        match: Match = kinds[record["name"]](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ClaimError(f"unknown match {dict(record)}; this version knows {', '.join(kinds)}") from error
    return match


def _tuples(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value
