"""Step J6: does the suspect answer like one that hides nothing, so that its answers can be judged at all? No torch."""

from dataclasses import dataclass

import numpy as np

from ownmark.querying.transcript import PROBES, Heard
from ownmark.scoring.readings import Labels
from ownmark.statistics import p_values

LEVEL = 0.01  # significance level per check; a failed check makes a verdict INCONCLUSIVE, never a MATCH
MOST_UNSTABLE = 0.1  # largest tolerated share of repeated images


@dataclass(frozen=True)
class Step:
    """One of the judge's steps. `passed`: None if it could not be performed; `told`: what was found."""

    name: str
    passed: bool | None
    told: str


def access(suspect: Heard, classes: Labels, count: int) -> tuple[Step, ...]:
    """Refusals, repeats and accuracy; `classes` (d,): the decoys' true ones, -1 if unknown; `count`: the number of classes."""
    return (_refusals(suspect), _repeats(suspect), _accuracy(suspect, classes, count))


def _refusals(suspect: Heard) -> Step:
    triggers = (int((~suspect.answered).sum()), len(suspect.answered))
    decoys = (int((suspect.decoys < 0).sum()), len(suspect.decoys))
    p = p_values.fisher(triggers, decoys)
    told = f"{triggers[0]} of {triggers[1]} triggers and {decoys[0]} of {decoys[1]} decoys unanswered"
    if p <= LEVEL:
        told = f"evasion suspected: {told}, p = {p:.3g}"
    return Step("J6 refusals", not triggers[0] and not decoys[0], told)


def _repeats(suspect: Heard) -> Step:
    changed = (suspect.repeats != suspect.repeats[:, :1]).any(axis=1)
    first = min(len(suspect.answered), PROBES)
    triggers, decoys = (int(changed[:first].sum()), first), (int(changed[first:].sum()), len(changed) - first)
    p = p_values.fisher(triggers, decoys)
    told = f"the label of {triggers[0]} of {triggers[1]} triggers and {decoys[0]} of {decoys[1]} decoys changed when asked again"
    if p <= LEVEL and decoys[1]:
        return Step("J6 repeats", passed=False, told=f"evasion suspected: {told}, p = {p:.3g}")
    return Step("J6 repeats", bool(changed.mean() <= MOST_UNSTABLE), told)


def _accuracy(suspect: Heard, classes: Labels, count: int) -> Step:
    known = (classes >= 0) & (suspect.decoys >= 0)
    if not known.any():
        return Step("J6 decoys", None, "no decoys of known class: whether the suspect does this task at all was not seen")
    right, asked = int(np.sum(suspect.decoys[known] == classes[known])), int(known.sum())
    told = f"{right} of {asked} decoys right"
    if p_values.binomial_tail(right, asked, 1 / count) > LEVEL:
        told += ", no better than chance: other classes or another order of them, wrong preprocessing, or answers at random"
        return Step("J6 decoys", passed=False, told=told)
    return Step("J6 decoys", passed=True, told=told)
