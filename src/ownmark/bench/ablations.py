"""Ablations over thresholds and numbers of samples, computed from stored answers without new queries.

Values are stored to six digits, so a sample this close to a threshold may change sides.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ownmark.bench.trial import Outcome, Role
from ownmark.metrics import aruc
from ownmark.scoring.matches import MATCHES, Graded, from_record
from ownmark.scoring.readings import Floats

STEPS = range(1, 11)
KINDS = {kind.__name__: kind for kind in MATCHES}
CONFIDENCE = 0.95  # of an interval that is not shown here
BOTH = 2  # sides of the threshold, of a value as of one with the other sign
Names = tuple[str, str, str]  # scheme, test, and the varied quantity


@dataclass(frozen=True)
class Point:
    """The mean ARUC over the repeats at this value of the varied quantity."""

    value: float
    aruc: float


def ablations(outcomes: Sequence[Outcome]) -> dict[Names, list[Point]]:
    """Thresholds and numbers of samples, for each scheme and test with both copies and independent models."""
    groups: dict[tuple[str, str], dict[int, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    for outcome in outcomes:
        for test in outcome.open_tests:
            groups[outcome.trial.scheme, test][outcome.trial.repeat].append(outcome)
    found: dict[Names, list[Point]] = {}
    for (scheme, test), repeats in groups.items():
        for varied, value, scores in _varied(repeats, test):
            if scores:
                found.setdefault((scheme, test, varied), []).append(Point(value, float(np.mean(scores))))
    return found


def _varied(repeats: Mapping[int, list[Outcome]], test: str) -> Iterator[tuple[str, float, list[float]]]:
    """The varied quantity, its value, and the ARUC of each repeat that has one."""
    first = next(iter(repeats.values()))[0].facts["readings"][test]
    count, match = len(first["values"]), first["match"]
    for step in STEPS:
        size = round(count * step / len(STEPS))
        if size:
            yield "samples", size, _areas(repeats, test, size, None)
    kind = KINDS.get(match["name"])
    if "threshold" in match and kind is not None and kind.sides:
        whole = 1.0 if "grid" in match else 2 * match["threshold"]
        for step in STEPS:
            threshold = round(whole * step / len(STEPS), 6)
            yield "threshold", threshold, _areas(repeats, test, count, threshold)


def _areas(repeats: Mapping[int, list[Outcome]], test: str, size: int, threshold: float | None) -> list[float]:
    found = []
    for outcomes in repeats.values():
        sides: dict[Role, list[float]] = defaultdict(list)
        for outcome in outcomes:
            sides[outcome.trial.role].append(_score(outcome.facts["readings"][test], size, threshold))
        if sides[Role.POSITIVE] and sides[Role.NEGATIVE]:
            found.append(aruc(np.array(sides[Role.POSITIVE]), np.array(sides[Role.NEGATIVE])))
    return found


def _score(answers: Mapping[str, Any], size: int, threshold: float | None) -> float:
    """The score of the first `size` samples, optionally at another threshold."""
    match = from_record(answers["match"])
    if isinstance(match, Graded):
        return match.graded(np.array(answers["values"][:size]), CONFIDENCE).value
    if threshold is None:
        return str(answers["matches"][:size]).count("1") / size
    values: Floats = np.array(answers["values"][:size])
    values = np.abs(values) if KINDS[answers["match"]["name"]].sides == BOTH else values
    return float(np.mean(values >= threshold))
