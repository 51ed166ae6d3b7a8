"""A keyed test that may stop after any trigger: evidence for a mark, against one, and how much remains possible. No torch.

x of t triggers matched so far. A bet on every rate above chance at once (Jeffreys' prior, truncated at chance) gains a factor of
1 / p with probability at most p under any stopping rule (Ville's inequality), if the suspect knows nothing of the key.
"""

import math
import sys
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy.special import betaincc, betaln

from ownmark.errors import UsageError

HALF = 0.5  # both parameters of Jeffreys' prior
ALMOST = 1 - 1e-12  # how close to an end point the interval search goes


@dataclass(frozen=True)
class Early:
    """Query the triggers one by one, in keyed order, and stop at the first that decides.

    `miss`: the probability of giving up on a mark whose match rate is at least halfway from chance to the protected model's own
    score. `most`: the largest number of triggers to query, None: all triggers of the claim.
    """

    miss: float = 0.01
    most: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.miss < 1 or (self.most is not None and self.most < 1):
            raise UsageError(f"expected miss between 0 and 1 and most of at least 1, got {self.miss} and {self.most}")


class Stop(StrEnum):
    """What the answers so far decide."""

    UPHELD = "upheld"
    GIVEN_UP = "given up"
    NOT_YET = "not yet"


@dataclass(frozen=True)
class State:
    """How many triggers were asked and matched; `best`: the largest logarithm that the bet has reached."""

    asked: int = 0
    matched: int = 0
    best: float = 0.0


BEGUN = State()


@dataclass(frozen=True)
class Rule:
    """When a test stops. `grinding`: bits of the allowance for tried keys; `target`: the protected model's own score.

    `gives_up`: whether the first answers may rule a mark out; not where they say less than later ones do.
    """

    alpha: float
    classes: int
    grinding: int
    target: float
    miss: float
    gives_up: bool = True

    def __post_init__(self) -> None:
        if self.target <= self.chance:
            raise UsageError(f"the protected model itself matches on {self.target:.3g} of the triggers, no more than by chance")

    @property
    def chance(self) -> float:
        return 1 / self.classes

    @property
    def survival(self) -> float:
        """The share of triggers that the weakest mark not to be missed still matches."""
        return (self.chance + self.target) / 2

    def after(self, state: State, *, matched: bool) -> State:
        """The state after one more answer."""
        asked, hits = state.asked + 1, state.matched + matched
        return State(asked, hits, max(state.best, log_gain(hits, asked, self.chance)))

    def outcome(self, state: State) -> Stop:
        """Whether the test stops here."""
        if self.p(state) <= self.alpha:
            return Stop.UPHELD
        doubt = log_doubt(state.matched, state.asked, self.chance, self.survival)
        return Stop.GIVEN_UP if self.gives_up and doubt >= -math.log(self.miss) else Stop.NOT_YET

    def p(self, state: State) -> float:
        """p, valid under any stopping rule, including the allowance for tried keys."""
        return max(math.exp(min(self.grinding * math.log(2) - state.best, 0.0)), sys.float_info.min)

    def smallest(self, triggers: int) -> float:
        """The smallest p that so many triggers could reach."""
        return self.p(State(triggers, triggers, log_gain(triggers, triggers, self.chance)))

    def reachable(self, triggers: int) -> bool:
        """Whether so many triggers can support a mark at all."""
        return self.smallest(triggers) <= self.alpha

    def told(self, state: State, most: int) -> str:
        """The outcome in words, as half a sentence."""
        asked = f"after {state.asked} of {most} triggers in keyed order, of which {state.matched} match,"
        p = f"p = {self.p(state):.3g}"
        stop = self.outcome(state)
        if stop is Stop.UPHELD:
            return f"{asked} {p} is not above alpha = {self.alpha:g}; this holds under any stopping rule"
        if stop is Stop.GIVEN_UP:
            mark = f"a mark on {100 * self.survival:.3g} % of the triggers or more is missed in this way"
            return f"{asked} {p} is above alpha = {self.alpha:g}; {mark} in at most {100 * self.miss:.3g} % of cases"
        return f"{asked} {p} is above alpha = {self.alpha:g}, but a mark is not ruled out either"


def log_gain(matched: int, asked: int, chance: float) -> float:
    """The natural logarithm of the bet on a mark, which starts at 1."""
    left = asked - matched
    above = betaincc(matched + HALF, left + HALF, chance) / betaincc(HALF, HALF, chance)
    if above <= 0:
        return -math.inf
    return math.log(above) + _log_mean(matched, left) - _log_likelihood(matched, left, chance)


def log_doubt(matched: int, asked: int, chance: float, survival: float) -> float:
    """The logarithm of Wald's likelihood ratio of chance to a mark on `survival` of the triggers; it bounds a miss likewise."""
    left = asked - matched
    return _log_likelihood(matched, left, chance) - _log_likelihood(matched, left, survival)


def interval(matched: int, asked: int, confidence: float = 0.95) -> tuple[float, float]:
    """The match rates that the same bet, two-sided, does not rule out: valid under any stopping rule."""
    from scipy.optimize import brentq

    left, bar = asked - matched, -math.log(1 - confidence)

    def excess(rate: float) -> float:
        return _log_mean(matched, left) - _log_likelihood(matched, left, rate) - bar

    middle = min(max(matched / asked, 1 - ALMOST), ALMOST) if asked else HALF
    low = brentq(excess, 1 - ALMOST, middle) if matched and excess(1 - ALMOST) > 0 else 0.0
    high = brentq(excess, middle, ALMOST) if left and excess(ALMOST) > 0 else 1.0
    return float(low), float(high)


def _log_mean(matched: int, left: int) -> float:
    """The logarithm of the mean likelihood under Jeffreys' prior."""
    return float(betaln(matched + HALF, left + HALF) - betaln(HALF, HALF))


def _log_likelihood(matched: int, left: int, rate: float) -> float:
    return matched * math.log(rate) + left * math.log1p(-rate)


@dataclass(frozen=True)
class Wald:
    """A likelihood-ratio test that could have stopped early: `log_p` is log p, valid under any stopping rule.

    `stopped`: the number of triggers at the first decision, 0: it never decided; `matched`: whether it decided for the mark.
    """

    log_p: float
    stopped: int
    matched: bool


def wald(matches: npt.NDArray[np.bool_], chance: float, survival: float, alpha: float, power: float = 0.99) -> Wald:
    """Wald's ratio of `survival` to `chance` over matches in query order; p = 1 / max_t LR_t (Ville's inequality)."""
    if not 0 < chance < survival < 1 or not 0 < alpha < 1 or not 0 < power < 1:
        raise UsageError(
            "expected 0 < chance < survival < 1, and alpha and power in (0, 1), "
            f"got {chance} and {survival}, alpha {alpha}, power {power}"
        )
    steps = np.where(matches, math.log(survival / chance), math.log((1 - survival) / (1 - chance)))
    ratios = np.cumsum(steps)
    upheld, given_up = ratios >= -math.log(alpha), ratios <= math.log((1 - power) / (1 - alpha))
    ends = np.flatnonzero(upheld | given_up)
    log_p = min(0.0, -float(ratios.max(initial=0.0)))
    return Wald(log_p, int(ends[0]) + 1 if len(ends) else 0, bool(len(ends) and upheld[ends[0]]))
