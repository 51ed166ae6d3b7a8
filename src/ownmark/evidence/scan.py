"""Many suspects of one claim: few questions to each, all of them to those that are left, p corrected for all. No torch.

A suspect that the first questions rule out gets p = 1, which can only be too large, so that every correction still holds.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.errors import UsageError
from ownmark.protocols import Suspect
from ownmark.scoring.null_models import Innocents, Uncalibrated
from ownmark.statistics import multiplicity
from ownmark.statistics.p_values import clopper_pearson
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

SURE = 0.99  # of the interval by which a suspect is ruled out


@dataclass(frozen=True)
class Found:
    """What one suspect answered: `matched` of `samples`, with `queries` images in all.

    `p`: 1 if the first questions ruled it out (`screened`); `outcome`: at the scan's rate, were it the only suspect. `why`: what
    kept its answers from being judged, "" if nothing did.
    """

    suspect: str
    digest: str
    matched: int
    samples: int
    queries: int
    p: float
    outcome: Outcome
    screened: bool
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A line of the table. `triage`: p after Benjamini and Hochberg; `named`: after Holm and for the scans of before; `outcome`:
    by the latter.

    `found`: None for a suspect that could not be asked, which counts with p = 1.
    """

    suspect: str
    found: Found | None
    triage: float
    named: float
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan of `suspects` suspects at `rate`, both of false leads among all leads and of any false accusation.

    `few`: how many samples are asked about first; `share`: how much of the rate this scan may use for accusations, so that it
    holds for all scans of the claim together (`statistics.scan_share`). Raises UsageError if no score could reach that.
    """

    claim: Claim
    suspects: int
    rate: float
    few: int
    share: float = 1

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 < self.share <= 1 or min(self.suspects, self.few) < 1:
            raise UsageError(f"a scan needs suspects, samples to begin with, and a rate in (0, 1), got {self}")
        for test in self._judged.tests:
            if isinstance(test.null, Innocents):
                multiplicity.check_references(len(test.null.scores), self.suspects, self.rate * self.share)
            elif test.null.smallest > self._bar:
                advice = test.null.advice(self._bar)
                raise UsageError(f"among {self.suspects} suspects no score could reach {self.rate * self.share:g}: {advice}")

    @property
    def _bar(self) -> float:
        """The p that a suspect needs who stands alone."""
        return self.rate * self.share / self.suspects

    @cached_property
    def _judged(self) -> Claim:
        """The claim's calibrated tests."""
        tests = tuple(test for test in self.claim.tests if not isinstance(test.null, Uncalibrated))
        if not tests:
            raise UsageError("the claim is not calibrated, so that no suspect could stand out: run ownmark calibrate first")
        return replace(self.claim, tests=tests)

    @cached_property
    def _probe(self) -> Claim:
        """A few samples of it, evenly spread."""
        count = len(self.claim.images)
        rows = np.unique(np.linspace(0, count - 1, min(self.few, count)).round().astype(np.int64))
        tests = tuple(replace(test, expected=test.expected[rows], null=Uncalibrated()) for test in self._judged.tests)
        return replace(self.claim, images=self.claim.images[rows], tests=tests, originals=None, maps=None)

    def found(self, suspect: Suspect) -> Found:
        """Ask one suspect. Raises SuspectError."""
        spent = 0
        if len(self._probe.images) < len(self.claim.images):
            first = verify(self._probe, suspect, alpha=self.rate)
            test = self._judged.tests[self._probe.tests.index(first.deciding.test)]
            matched, samples, spent = int(first.deciding.matches.sum()), len(first.deciding.matches), first.queries
            if clopper_pearson(matched, samples, SURE)[1] < min(self._least(test), test.target_score):
                told = (suspect.name, suspect.digest, matched, samples, spent)
                return Found(*told, p=1.0, outcome=Outcome.NO_MATCH, screened=True)
        whole = verify(self._judged, suspect, alpha=self.rate)
        one = whole.deciding
        told = (suspect.name, suspect.digest, int(one.matches.sum()), len(one.matches), spent + whole.queries)
        why = "" if whole.queries else whole.reason
        return Found(*told, p=one.p, outcome=whole.outcome, screened=False, why=why)

    def _least(self, test: Test) -> float:
        """The least score that could name a suspect."""
        count = len(test.expected)
        return bisect_left(range(count), True, key=lambda matched: test.null.p_value(matched / count) <= self._bar) / count

    def table(self, names: Sequence[str], found: Mapping[str, Found]) -> tuple[Row, ...]:
        """All suspects of this scan, the likeliest first; in `found` those of earlier scans count for triage, too."""
        values = [found[name].p if name in found else 1.0 for name in names]
        named = [min(1.0, p / self.share) for p in multiplicity.holm(values)]
        others = [one.p for name, one in found.items() if name not in set(names)]
        triage = multiplicity.benjamini_hochberg([*values, *others], self.rate)
        rows = [
            Row(name, found.get(name), lead, accused, self._outcome(found.get(name), accused))
            for name, lead, accused in zip(names, triage, named, strict=False)
        ]
        return tuple(sorted(rows, key=lambda row: (row.named, row.triage, row.found is None, row.suspect)))

    def _outcome(self, found: Found | None, named: float) -> Outcome:
        """By the p of an accusation by name: what would do for one suspect alone is inconclusive among many."""
        if named <= self.rate and found is not None and found.outcome is Outcome.MATCH:
            return Outcome.MATCH
        return Outcome.NO_MATCH if found is not None and found.outcome is Outcome.NO_MATCH else Outcome.INCONCLUSIVE
