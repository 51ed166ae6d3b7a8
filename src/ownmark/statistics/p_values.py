"""What the judge computes: every p-value, bound and correction of a verdict, as pure functions. No torch.

x of n triggers matched. A p-value bounds the chance that an innocent suspect does as well; all tests are one-sided.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaincinv, gammaln

from ownmark.errors import UsageError
from ownmark.scoring.null_models import innocents_needed
from ownmark.scoring.readings import Bools

GAMMA = 1e-3  # what the bound of Berger and Boos costs
NEVER = 2.0  # a share that no mark can have


def binomial_tail(matched: int, count: int, chance: float) -> float:
    """P[Bin(count, chance) >= matched]."""
    return 1.0 if matched <= 0 else float(betainc(matched, count - matched + 1, chance)) if matched <= count else 0.0


def rank_p(score: float, others: Sequence[float]) -> float:
    """(1 + #{others >= score}) / (m + 1); ties count against the owner. Of none: 1."""
    return (1 + sum(other >= score for other in others)) / (len(others) + 1)


def rank_false_positives(references: int, rank: int = 1, confidence: float = 0.95) -> float:
    """An upper bound on the false positives of a threshold at the rank-th largest of so many references' scores."""
    if not 1 <= rank <= references:
        raise UsageError(f"a threshold is the score of one of the {references} references, got number {rank}")
    return float(betaincinv(rank, references + 1 - rank, confidence))


def berger_boos(matched: int, count: int, references: Sequence[int], gamma: float = GAMMA) -> float:
    """p if the suspect is no worse than the worst reference: gamma + P[Bin(n, p_U) >= x] (Berger & Boos 1994).

    `references`: how many triggers each matched; p_U bounds all their rates at once, with confidence 1 - gamma.
    """
    if not references or not 0 < gamma < 1:
        raise UsageError(f"the bound needs a reference and a gamma in (0, 1), got {len(references)} and {gamma}")
    worst = max(references)
    upper = 1.0 if worst == count else float(betaincinv(worst + 1, count - worst, 1 - gamma / len(references)))
    return min(1.0, gamma + binomial_tail(matched, count, upper))


@dataclass(frozen=True)
class Sequential:
    """A likelihood ratio test that could have stopped early: `log_p` is log p, valid whenever one stops.

    `stopped`: after how many triggers it first decided, 0: it never did; `matched`: whether it then decided for the mark.
    """

    log_p: float
    stopped: int
    matched: bool


def sequential(matches: Bools, chance: float, survival: float, alpha: float, power: float = 0.99) -> Sequential:
    """Wald's ratio of `survival` to `chance` over matches in the order asked; p = 1 / max_t LR_t (Ville's inequality)."""
    if not 0 < chance < survival < 1 or not 0 < alpha < 1 or not 0 < power < 1:
        raise UsageError(f"needed is 0 < chance < survival < 1, got {chance} and {survival}, alpha {alpha}, power {power}")
    steps = np.where(matches, math.log(survival / chance), math.log((1 - survival) / (1 - chance)))
    ratios = np.cumsum(steps)
    upheld, given_up = ratios >= -math.log(alpha), ratios <= math.log((1 - power) / (1 - alpha))
    ends = np.flatnonzero(upheld | given_up)
    log_p = min(0.0, -float(ratios.max(initial=0.0)))
    return Sequential(log_p, int(ends[0]) + 1 if len(ends) else 0, bool(len(ends) and upheld[ends[0]]))


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact p, one-sided, that events are likelier in `first` than in `second`; each is (events, trials)."""
    events, trials = first[0] + second[0], first[1] + second[1]
    ways = (_log_ways(first[1], each) + _log_ways(second[1], events - each) for each in range(first[0], events + 1))
    return min(1.0, sum(math.exp(way - _log_ways(trials, events)) for way in ways))


def intersection_union(values: Sequence[float]) -> float:
    """p of a verdict that needs every one of several tests: their largest, with no correction (Berger 1982)."""
    return max(values)


def from_e_values(values: Sequence[float]) -> float:
    """p = min(1, 1 / mean) of e-values that may depend on each other in any way (Vovk & Wang 2021)."""
    mean = sum(values) / len(values)
    return min(1.0, 1 / mean) if mean > 0 else 1.0


def holm(values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values for accusations by name, in the order given: the chance of any false one is bounded (Holm 1979)."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, highest = [0.0] * len(values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - place) * values[index]))
        found[index] = highest
    return tuple(found)


def scan_share(number: int, *, last: bool = False) -> float:
    """The share of the rate that the number-th scan of a claim may use, from 1: 1 / (n (n + 1)); the last one: all that is left.

    All shares sum to 1, so that the chance of any false accusation by all scans together stays below the rate, whether suspects
    are asked at once or one by one (the union bound). Holm over all suspects so far, made anew at each scan, would not bound it.
    """
    return 1 / number if last else 1 / (number * (number + 1))


def check_references(references: int, suspects: int, rate: float) -> None:
    """Raises UsageError if ranks among so many references cannot reach `rate` in a scan, however a single suspect scores."""
    if 1 / (references + 1) > rate / suspects:
        needed = innocents_needed(rate / suspects)
        raise UsageError(
            f"with {references} references p is 1/{references + 1} or more, but a rate of {rate:g} among {suspects} suspects "
            f"needs {rate / suspects:.3g}: bring {needed} references, or scan fewer suspects"
        )


def benjamini_hochberg(values: Sequence[float], rate: float, references: int | None = None) -> tuple[float, ...]:
    """Adjusted p-values for triage of a scan: the share of false ones among those below `rate` is bounded.

    Raises UsageError if ranks among so many `references` cannot reach it.
    """
    from scipy.stats import false_discovery_control

    if references is not None:
        check_references(references, len(values), rate)
    return tuple(map(float, false_discovery_control(values, method="bh")))


def smallest_mark(count: int, needed: int, power: float = 0.95) -> float:
    """The least rate of matches with which a suspect reaches `needed` of `count` triggers with this power; above 1: none does."""
    if needed > count:
        return NEVER
    return 0.0 if needed <= 0 else float(betaincinv(needed, count - needed + 1, power))


def _log_ways(count: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return float(gammaln(count + 1) - gammaln(chosen + 1) - gammaln(count - chosen + 1)) if 0 <= chosen <= count else -math.inf
