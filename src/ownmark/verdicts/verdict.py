"""What a judge says: the outcome, what each test found, and the picture of the score. No torch."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np

from ownmark.claims.claim import Test
from ownmark.errors import UsageError, escaped
from ownmark.scoring.matches import BestMapped, BestOf, CrossedResidual, Deviating, Graded
from ownmark.scoring.readings import Bools, Floats, Reading
from ownmark.statistics.sequential import Early
from ownmark.verdicts import picture

NAMES = dict.fromkeys(Reading, "black-box test") | {
    Reading.SALIENCY: "white-box test",
    Reading.BEST: "best-class test",
    Reading.EMBEDDING: "embedding test",
    Reading.LABEL: "label test",
}
CONFIDENCE = 0.95  # of the interval around a score
BEST = ", the best of several"
KINDS = {BestOf: BEST, BestMapped: BEST, CrossedResidual: ", by residuals"}  # beside the names of tests that ask alike


def named(test: Test) -> str:
    """A test's short name, which differs from those of the claim's other tests."""
    return NAMES[test.reading] + KINDS.get(type(test.match), "")


class Outcome(StrEnum):
    """What the answers show; never whether a model is stolen.

    However small p is, a match is supporting: only a claim that was sealed, and then judged with its images made anew, is strong.
    """

    MATCH = "MATCH (supporting)"
    NO_MATCH = "NO MATCH"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True, eq=False)  # arrays cannot be compared by ==
class Finding:
    """One test's result on one suspect.

    `matches` (n,) bool; `score` their share, or the mapped mean of a graded match; `interval` its 95 % confidence interval, exact
    for a share; `p` the p-value under the test's null and `smallest` the least it could have been; `observed`: the answers,
    (n, views, ...); `note`: where its maps come from, or why it shows none, if that is not as the claim says.
    """

    test: Test
    matches: Bools = field(repr=False)
    observed: Floats = field(repr=False)
    score: float
    interval: tuple[float, float]
    p: float
    smallest: float
    note: str = ""

    @cached_property
    def graded(self) -> bool:
        """Whether the score is no share of matching samples."""
        return isinstance(self.test.match, Graded)

    @property
    def residual(self) -> float | None:
        """Of a test of residuals, before it is mapped: 1 for the protected model, 0 on average for an independent one."""
        match = self.test.match
        known = isinstance(match, Deviating) and len(self.observed)
        return float(np.mean(match.values(self.observed, self.test.expected))) if known else None

    @property
    def told(self) -> str:
        """The score in one phrase: "93 of 100", or "a score of 0.93"."""
        return f"a score of {self.score:.2f}" if self.graded else f"{int(self.matches.sum())} of {len(self.matches)}"


@dataclass(frozen=True, eq=False)  # arrays cannot be compared by ==
class Verdict:
    """The judge's answer. `deciding` is the strongest calibrated test that the suspect could answer; the `others` only inform.

    Where the test was stopped `early`, it holds the triggers that were asked about, in the order in which they were, its p and
    its interval hold wherever one stops. Where nothing could be judged, it holds none. `notes`: how the suspect was read, where
    that was not the only way.
    """

    outcome: Outcome
    reason: str
    alpha: float
    deciding: Finding
    others: tuple[Finding, ...]
    queries: int
    claim: str
    suspect: str
    suspect_digest: str
    early: Early | None = None
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Never: `if verify(...)` would take every suspect for a copy. Raises UsageError."""
        raise UsageError("a verdict is neither true nor false: compare its outcome, verdict.outcome is Outcome.MATCH")

    def __repr__(self) -> str:
        """One line for a notebook."""
        if not self.queries:
            return f"<Verdict {self.outcome} on {escaped(self.suspect)}: nothing could be judged>"
        one = self.deciding
        share = f"{one.told}, by {one.test.reading}" if one.graded else f"{one.told} samples match by {one.test.reading}"
        return f"<Verdict {self.outcome} on {escaped(self.suspect)}: {share}, p = {one.p:.3g}, alpha = {self.alpha:g}>"

    def _repr_html_(self) -> str:
        """The same for a notebook that shows pictures: outcome, reason, and the score beside all that it is compared with."""
        null, one = self.deciding.test.null, self.deciding
        drawn = ""
        if self.queries:
            innocents = null.scores
            drawn = picture.of_score(one.score, one.interval, protected=one.test.target_score, innocents=innocents)
        return picture.titled(f"{self.outcome}: {escaped(self.suspect)}", escaped(self.reason), drawn)
