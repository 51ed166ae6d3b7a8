"""The null of labels drawn from a key: how many an innocent model meets by chance, exactly. No torch."""

import math
import re
import sys
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from itertools import count as counter
from typing import ClassVar

import numpy as np
from scipy.special import betaln, logsumexp

from ownmark import keys
from ownmark.errors import ClaimError, UsageError
from ownmark.scoring.matches import Agreement, Match, RaisedOther, RankedGroup, RankedOther, RelativeRunnerUp, RunnerUp
from ownmark.scoring.readings import Labels
from ownmark.statistics.p_values import ranks_log10_tail

# Matches by which a suspect's answer alone names exactly one class, or ranks the classes; and how many classes are left out, so
# that labels are drawn from the others.
NAMING: dict[type, int] = {Agreement: 0, RunnerUp: 0, RelativeRunnerUp: 0, RaisedOther: 1, RankedOther: 1, RankedGroup: 1}
FEWEST = 2  # labels that a key draws from
# What a label earns: 1 if it is the class named, or points by its rank, or the more points of two ranks for all labels together.
HITS, RANKS, TWICE = "hits", "ranks", "ranks, twice"
COUNTS: dict[type, str] = {RankedOther: RANKS, RankedGroup: TWICE}


def fewest_classes(match: Match) -> int:
    """Of how many classes at least a claim must be, so that such a match leaves labels to draw from."""
    return FEWEST + NAMING[type(match)]


@dataclass(frozen=True)
class KeyedLabels:
    """Expected labels drawn from a key (`keys.labels`): p = min(1, 2^lambda * P[S >= s]), S what they earn by chance.

    With `counts` "hits" a label earns 1 where the suspect names it, so that S is Bin(n, 1 / classes). With "ranks" it earns 1 for
    each of the other `classes` that it is raised above (`RankedOther`), so that S is the sum of n whole numbers, each uniform in
    [0, classes). With "ranks, twice" S is the larger of two such sums (`RankedGroup`), whatever their dependence: p is at most
    twice that of one.

    Before the factor 2^lambda, p is exact for any suspect chosen independently of the key, whatever it answers, provided that the
    labels played no part in making the images (a judge checks this by remaking them). `key`: 64 hexadecimal digits; `sets` of
    `triggers` each draw their labels from keys of their own (`set_keys`); 0 sets: `key` is the seed of a single opened set.
    `context`: the digest of what was committed to before the key was drawn, to which every set's key is bound; "": unbound.

    `grinding` is lambda, in bits: an owner who tries 2^lambda keys and keeps the luckiest gains at most that factor. It is 64,
    although an honest owner spends a second of scrypt per key: the key alone does not show that it came through scrypt.
    """

    scores: ClassVar[tuple[float, ...]] = ()
    models: ClassVar[tuple[str, ...]] = ()
    calibrated: ClassVar[bool] = True
    key: str = field(repr=False)
    triggers: int
    classes: int
    sets: int
    grinding: int = 64
    context: str = ""
    counts: str = HITS

    def __post_init__(self) -> None:
        if not isinstance(self.key, str) or not re.fullmatch("[0-9a-f]{64}", self.key):
            raise ClaimError("a key must be 64 lower-case hexadecimal digits")
        if not isinstance(self.context, str) or not re.fullmatch("([0-9a-f]{64})?", self.context):
            raise ClaimError("the context of a key must be 64 lower-case hexadecimal digits, or empty")
        if self.counts not in {HITS, *COUNTS.values()}:
            raise ClaimError(f"the labels of a key count {HITS} or {' or '.join(COUNTS.values())}, got {self.counts!r}")
        _check_whole("triggers in each set", self.triggers, 1, keys.WORD - 1)
        _check_whole("classes", self.classes, FEWEST, keys.WORD - 1)
        _check_whole("sets", self.sets, 0, keys.WORD - 1)
        _check_whole("bits of grinding", self.grinding, 0, 8 * keys.KEY_BYTES)

    @classmethod
    def read_by(
        cls, match: Match, classes: int, key: str, triggers: int, sets: int, *, grinding: int = 64, context: str = ""
    ) -> "KeyedLabels":
        """Those that a match reads in a claim of so many classes: it decides from how many they are drawn, and what counts."""
        counts = COUNTS.get(type(match), HITS)
        return cls(key, triggers, classes - NAMING[type(match)], sets, grinding, context, counts)

    @property
    def keyed(self) -> "KeyedLabels":
        return self

    @property
    def count(self) -> int:
        """The total number of triggers."""
        return self.triggers * max(self.sets, 1)

    @property
    def luck(self) -> float:
        return 1 / self.classes if self.counts == HITS else 1 / 2

    @property
    def most(self) -> int:
        """The points of a score of 1."""
        return self.count * (1 if self.counts == HITS else self.classes - 1)

    @property
    def smallest(self) -> float:
        return self.p_value(1)

    @property
    def seeds(self) -> list[bytes]:
        """The seed that opens each set, in order."""
        key = bytes.fromhex(self.key)
        return [keys.set_key(key, number) for number in range(self.sets)] or [key]

    @property
    def set_keys(self) -> list[bytes]:
        """The key from which each set's labels and images derive, in order: its seed, bound to the context."""
        return [keys.bound(seed, self.context) if self.context else seed for seed in self.seeds]

    def labels(self) -> Labels:
        """(n,) the expected labels of all sets, in order."""
        return np.concatenate([keys.labels(one, self.triggers, self.classes) for one in self.set_keys])

    def alone(self, number: int) -> "KeyedLabels":
        """The null of trigger set `number` alone; its key reveals nothing about the other sets."""
        if not 0 <= number < self.sets:
            raise UsageError(f"this key has {self.sets} trigger sets, counted from 0: there is no set {number}")
        return replace(self, key=keys.set_key(bytes.fromhex(self.key), number).hex(), sets=0)

    def p_value(self, score: float) -> float:
        return max(10 ** self.log10_p_adjusted(score), sys.float_info.min)

    def threshold(self, alpha: float) -> float | None:
        most = self.most
        fewest = bisect_left(range(1, most + 1), True, key=lambda points: self.p_value(points / most) <= alpha)
        return fewest / most if fewest < most else None

    def log10_p(self, score: float) -> float:
        """log10 P[S >= points], before the factor: a sum in log space, accurate however small the tail."""
        count, least = self.count, round(score * self.most)
        if self.counts != HITS:
            tries = 2 if self.counts == TWICE else 1
            return min(ranks_log10_tail(self.classes, count, least) + math.log10(tries), 0.0)
        if not least:
            return 0.0  # certainty, which a rounded sum would miss
        matched = np.arange(least, count + 1)
        ways = -betaln(matched + 1, count - matched + 1) - math.log(count + 1)  # log of the binomial coefficient
        chances = ways + (count - matched) * math.log(self.classes - 1) - count * math.log(self.classes)
        return min(float(logsumexp(chances)) / math.log(10), 0.0)

    def log10_p_adjusted(self, score: float) -> float:
        """log10 of p, after the factor 2^grinding."""
        return min(self.log10_p(score) + self.grinding * math.log10(2), 0.0)

    def advice(self, alpha: float) -> str:
        alone, bar = replace(self, sets=0), max(alpha, sys.float_info.min)
        guess = math.ceil((self.grinding * math.log(2) - math.log(bar)) / math.log(self.classes))
        needed = next(number for number in counter(max(guess - 1, 1)) if replace(alone, triggers=number).smallest <= bar)
        return (
            f"At least {needed} keyed triggers of {self.classes} classes are required, since the key may be one of "
            f"2^{self.grinding} that were tried, but the claim has {self.count}: embed more, or open more sets"
        )

    def check(self, match: Match, expected: Labels, classes: int) -> None:
        if type(match) not in NAMING:
            allowed = " or ".join(kind.__name__ for kind in NAMING)
            raise ClaimError(f"keyed labels must be judged by {allowed}, whose chance is known, got {type(match).__name__}")
        read = self.read_by(match, classes, self.key, self.triggers, self.sets)
        if (len(expected), read.classes) != (self.count, self.classes):
            less = f", of which {type(match).__name__} needs {read.classes}" if NAMING[type(match)] else ""
            had = f"{len(expected)} of {classes}{less}"
            raise ClaimError(f"the key gives {self.count} labels of {self.classes} classes, but the claim has {had}")
        if self.counts != read.counts:
            raise ClaimError(f"the p-value of {type(match).__name__} counts {read.counts}, but the claim has {self.counts}")
        wrong = np.flatnonzero(expected != self.labels())
        if len(wrong):
            raise ClaimError(f"the label of trigger {wrong[0]} does not come from the key ({len(wrong)} of {self.count} do not)")


def _check_whole(what: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ClaimError(f"the number of {what} must be an integer from {least} to {most}, got {value!r}")
