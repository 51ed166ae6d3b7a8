"""The p-values and bounds of one verdict, as pure functions. No torch.

x of n triggers matched. A p-value bounds the probability that an innocent suspect scores as high; all tests are one-sided.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, gammaln, stdtrit

from ownmark.errors import UsageError

GAMMA = 1e-3  # the price of the bound of Berger and Boos
NEVER = 2.0  # a share that no mark can reach
STEEPEST, HALVINGS = 64.0, 60  # the largest tilt of a law, and how often the interval around the best one is halved


def binomial_tail(matched: int, count: int, chance: float) -> float:
    """P[Bin(count, chance) >= matched]."""
    return 1.0 if matched <= 0 else float(betainc(matched, count - matched + 1, chance)) if matched <= count else 0.0


def rank_p(score: float, others: Sequence[float]) -> float:
    """(1 + #{others >= score}) / (m + 1); ties, and what is no number, count against the owner. Without others: 1."""
    return (1 + sum(not other < score for other in others)) / (len(others) + 1)


def berger_boos(matched: int, count: int, references: Sequence[int], gamma: float = GAMMA) -> float:
    """p if the suspect matches no more often than the worst reference: gamma + P[Bin(n, p_U) >= x] (Berger & Boos 1994).

    `references`: matched triggers per reference; p_U bounds all their rates simultaneously with confidence 1 - gamma.
    """
    if not references or not 0 < gamma < 1:
        raise UsageError(
            f"expected at least one reference and gamma in (0, 1), got {len(references)} references and gamma {gamma}"
        )
    worst = max(references)
    upper = 1.0 if worst == count else float(betaincinv(worst + 1, count - worst, 1 - gamma / len(references)))
    return min(1.0, gamma + binomial_tail(matched, count, upper))


def fisher(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact p, one-sided, that events are more likely in `first` than in `second`; each is (events, trials)."""
    events, trials = first[0] + second[0], first[1] + second[1]
    ways = (_log_ways(first[1], each) + _log_ways(second[1], events - each) for each in range(first[0], events + 1))
    return min(1.0, sum(math.exp(way - _log_ways(trials, events)) for way in ways))


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval for a proportion (Clopper & Pearson 1934): `successes` of `trials`, both ends in [0, 1]."""
    tail = (1 - confidence) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def student(values: npt.NDArray[np.floating[Any]], confidence: float) -> tuple[float, float]:
    """Student's two-sided interval for the mean of values (n,); without bounds for a single one."""
    mean, reach = float(np.mean(values)), math.inf
    if len(values) > 1:
        reach = float(stdtrit(len(values) - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / np.sqrt(len(values)))
    return mean - reach, mean + reach


def ranks_log10_tail(ranks: int, count: int, least: int) -> float:
    """log10 P[S >= least], S the sum of `count` independent whole numbers, each of which is uniform in [0, ranks).

    The law of one number is tilted exponentially until its mean is `least` / `count`: so the tail, however small, lies where the
    law of the sum is largest, and a Fourier transform finds it to twelve digits.
    """
    most = ranks - 1
    if least <= 0:
        return 0.0
    if least >= most * count:
        return -count * math.log10(ranks) if least == most * count else -math.inf
    below = np.arange(ranks) - most  # what a number lacks to the largest

    def mean(tilt: float) -> float:
        weights = np.exp(below * tilt)
        return most + float(weights @ below / weights.sum())

    low, high = 0.0, STEEPEST
    for _ in range(HALVINGS):
        tilt = (low + high) / 2
        low, high = (tilt, high) if mean(tilt) < least / count else (low, tilt)
    weights, size = np.exp(below * low), 1 << (most * count).bit_length()
    sums = np.fft.irfft(np.fft.rfft(weights / weights.sum(), size) ** count, size)
    lacking = most * count - least
    tail = math.fsum(np.maximum(sums[least : most * count + 1], 0) * np.exp(-np.arange(lacking + 1) * low))
    whole = count * math.log(float(weights.sum()) / ranks) + lacking * low
    return min((whole + math.log(tail)) / math.log(10), 0.0)


def innocents_needed(alpha: float) -> int:
    """The smallest number of innocent models with which p can reach `alpha` in (0, 1): the least m with 1 / (m + 1) <= alpha."""
    guess = int(1 / Fraction(alpha))
    return next(count for count in range(max(guess - 2, 1), guess + 2) if 1 / (count + 1) <= alpha)


def smallest_mark(count: int, needed: int, power: float = 0.95) -> float:
    """The lowest match rate at which a suspect reaches `needed` of `count` triggers with this power; above 1 if none does."""
    if needed > count:
        return NEVER
    return 0.0 if needed <= 0 else float(betaincinv(needed, count - needed + 1, power))


def _log_ways(count: int, chosen: int) -> float:
    """The logarithm of the binomial coefficient."""
    return float(gammaln(count + 1) - gammaln(chosen + 1) - gammaln(count - chosen + 1)) if 0 <= chosen <= count else -math.inf
