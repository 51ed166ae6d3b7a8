"""Many suspects of one claim: a few queries to each, all queries to those that remain, p corrected for all. No torch.

A suspect that the first queries rule out gets p = 1, which can only be too large, so every correction remains valid.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ownmark.claims.claim import Claim, Test
from ownmark.errors import UsageError
from ownmark.protocols import Suspect
from ownmark.scoring.matches import Combining, together
from ownmark.scoring.null_models import Uncalibrated
from ownmark.statistics import multiplicity
from ownmark.statistics.p_values import clopper_pearson
from ownmark.verdicts import ways
from ownmark.verdicts.competence import unfit
from ownmark.verdicts.uninformative import hardly_differing
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

SURE = 0.99  # confidence of the interval that rules out a suspect


@dataclass(frozen=True)
class Found:
    """The result for one suspect: its `score` on so many `samples`, with `queries` images in total.

    `p`: 1 if the first queries ruled it out (`screened`); `outcome`: at the scan's rate, as if it were the only suspect. `why`:
    what prevented a judgement, "" if nothing did.
    """

    suspect: str
    digest: str
    score: float
    samples: int
    queries: int
    p: float
    outcome: Outcome
    screened: bool
    why: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the table. `triage`: p after Benjamini and Hochberg; `named`: p after Holm and the correction for earlier scans;
    `outcome`: by the latter.

    `found`: None for a suspect that could not be queried, which counts with p = 1.
    """

    suspect: str
    found: Found | None
    triage: float
    named: float
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class Scan:
    """A scan of `suspects` suspects at `rate`, both of false leads among all leads and of any false accusation.

    `screen`: how many samples are asked about first; `share`: how much of the rate this scan may use for accusations, so that it
    holds for all scans of the claim together (`statistics.scan_share`). `access`: the one way of asking that counts, "": p pays
    for every way. Raises UsageError if no score could reach the rate.
    """

    claim: Claim
    suspects: int
    rate: float
    screen: int
    share: float = 1
    access: str = ""

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or not 0 < self.share <= 1 or min(self.suspects, self.screen) < 1:
            raise UsageError(f"a scan needs suspects, at least one sample to begin with, and a rate in (0, 1), got {self}")
        for test in self._able:
            if test.null.scores:
                multiplicity.check_references(len(test.null.scores), self.suspects, self.rate * self.share / self._ways)
            elif test.null.smallest > self._bar:
                advice = test.null.advice(self._bar)
                raise UsageError(f"among {self.suspects} suspects no score could reach {self.rate * self.share:g}: {advice}")

    @property
    def _bar(self) -> float:
        """The p of one test that a suspect needs if no other suspect stands out."""
        return self.rate * self.share / self.suspects / self._ways

    @property
    def _ways(self) -> int:
        """How many ways of asking p pays for."""
        return len(ways.ways(self._able))

    @cached_property
    def _able(self) -> tuple[Test, ...]:
        """The claim's calibrated tests, by the way that was named."""
        ways.check(self.claim, self.access)
        tests = tuple(test for test in ways.calibrated(self.claim) if self.access in {"", ways.way(test)})
        if not tests:
            raise UsageError("the claim is not calibrated, so no suspect could stand out: run ownmark calibrate first")
        return tests

    @cached_property
    def _judged(self) -> Claim:
        """The claim of these tests, and of those of which one of them is the best."""
        every = self.claim.tests
        parts = {place for test in self._able if isinstance(test.match, Combining) for place in test.match.tests}
        kept = [place for place, test in enumerate(every) if place in parts or any(test is one for one in self._able)]
        moved = {place: number for number, place in enumerate(kept)}
        return replace(self.claim, tests=tuple(_moved(every[place], moved) for place in kept))

    @property
    def _together(self) -> bool:
        """Whether a test weighs all samples together, so that a few of them rule nobody out."""
        return any(together(test.match) for test in self._judged.tests)

    @cached_property
    def _probe(self) -> Claim:
        """A few of its samples, evenly spaced."""
        count = len(self.claim.images)
        rows = np.unique(np.linspace(0, count - 1, min(self.screen, count)).round().astype(np.int64))
        tests = tuple(replace(test, expected=test.expected[rows], null=Uncalibrated()) for test in self._judged.tests)
        return replace(self.claim, images=self.claim.images[rows], tests=tests, originals=None, maps=None)

    def found(self, suspect: Suspect) -> Found:
        """Query one suspect; one that does not show the way that was named is not asked. Raises SuspectError."""
        spent, shown = 0, ways.shown(self._judged, suspect, self.access)
        if shown and not self._together and len(self._probe.images) < len(self.claim.images):
            first = verify(self._probe, suspect, alpha=self.rate)
            test = self._judged.tests[self._probe.tests.index(first.deciding.test)]
            matched, samples, spent = int(first.deciding.matches.sum()), len(first.deciding.matches), first.queries
            found = (first.deciding, *first.others)
            clears_nobody = unfit(self.claim.task, found) or hardly_differing(first.deciding, found)  # the whole claim says so
            if not clears_nobody and clopper_pearson(matched, samples, SURE)[1] < min(self._least(test), test.target_score):
                told = (suspect.name, suspect.digest, first.deciding.score, samples, spent)
                return Found(*told, p=1.0, outcome=Outcome.NO_MATCH, screened=True)
        whole = verify(self._judged, suspect, alpha=self.rate, access=self.access)
        one = whole.deciding
        told = (suspect.name, suspect.digest, one.score, len(one.matches), spent + whole.queries)
        why = "" if whole.queries else whole.reason
        return Found(*told, p=one.p, outcome=whole.outcome, screened=False, why=why)

    def _least(self, test: Test) -> float:
        """The lowest score that could name a suspect."""
        count = len(test.expected)
        return bisect_left(range(count), True, key=lambda matched: test.null.p_value(matched / count) <= self._bar) / count

    def table(self, names: Sequence[str], found: Mapping[str, Found]) -> tuple[Row, ...]:
        """All suspects of this scan, the most likely first; those of earlier scans in `found` also count for triage."""
        values = [found[name].p if name in found else 1.0 for name in names]
        named = [min(1.0, p / self.share) for p in multiplicity.holm(values)]
        mine = set(names)
        others = [one.p for name, one in found.items() if name not in mine]
        triage = multiplicity.benjamini_hochberg([*values, *others], self.rate)
        rows = [
            Row(name, found.get(name), lead, accused, self._outcome(found.get(name), accused))
            for name, lead, accused in zip(names, triage, named, strict=False)
        ]
        return tuple(sorted(rows, key=lambda row: (row.named, row.triage, row.found is None, row.suspect)))

    def _outcome(self, found: Found | None, named: float) -> Outcome:
        """By p of an accusation by name: what would suffice for a single suspect is inconclusive among many."""
        if named <= self.rate and found is not None and found.outcome is Outcome.MATCH:
            return Outcome.MATCH
        return Outcome.NO_MATCH if found is not None and found.outcome is Outcome.NO_MATCH else Outcome.INCONCLUSIVE


def _moved(test: Test, places: Mapping[int, int]) -> Test:
    """The test among others, which now stand in these places."""
    match = test.match
    if not isinstance(match, Combining):
        return test
    return replace(test, match=replace(match, tests=tuple(places[one] for one in match.tests)))  # type: ignore[type-var]
