"""Many suspects of one claim: few questions to each, all of them to those that are left, p corrected for all. No torch.

A suspect that the first questions rule out gets p = 1, which can only be too large, so that every correction still holds.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ownmark.claim import Claim, Test
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import canonical, statistics
from ownmark.files import write_whole
from ownmark.null import Innocents, Uncalibrated, clopper_pearson
from ownmark.protocols import Suspect
from ownmark.verdict import Outcome, verify

FORMAT, VERSION = "ownmark scan", 1
KEYS = frozenset({"format", "version", "claim", "how", "found"})
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
    """A line of the table. `triage`: p after Benjamini and Hochberg; `named`: after Holm; `outcome`: by the latter.

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

    `few`: how many samples are asked about first. Raises UsageError if no score could reach the rate among so many.
    """

    claim: Claim
    suspects: int
    rate: float
    few: int

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1 or min(self.suspects, self.few) < 1:
            raise UsageError(f"a scan needs suspects, samples to begin with, and a rate in (0, 1), got {self}")
        for test in self._judged.tests:
            if isinstance(test.null, Innocents):
                statistics.check_references(len(test.null.scores), self.suspects, self.rate)
            elif test.null.smallest > self._bar:
                advice = test.null.advice(self._bar)
                raise UsageError(f"among {self.suspects} suspects no score could reach {self.rate:g}: {advice}")

    @property
    def _bar(self) -> float:
        """The p that a suspect needs who stands alone."""
        return self.rate / self.suspects

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
        """All suspects, the likeliest first."""
        values = [found[name].p if name in found else 1.0 for name in names]
        triage, named = statistics.benjamini_hochberg(values, self.rate), statistics.holm(values)
        rows = [
            Row(name, found.get(name), lead, accused, self._outcome(found.get(name), accused))
            for name, lead, accused in zip(names, triage, named, strict=True)
        ]
        return tuple(sorted(rows, key=lambda row: (row.named, row.triage, row.found is None, row.suspect)))

    def _outcome(self, found: Found | None, named: float) -> Outcome:
        """By the p of an accusation by name: what would do for one suspect alone is inconclusive among many."""
        if named <= self.rate and found is not None and found.outcome is Outcome.MATCH:
            return Outcome.MATCH
        return Outcome.NO_MATCH if found is not None and found.outcome is Outcome.NO_MATCH else Outcome.INCONCLUSIVE


def read(path: Path, claim: Claim, how: str) -> dict[str, Found]:
    """What a scan that was cut short has found so far, by its suspects' keys; `how`: all that the answers depend on.

    Raises UsageError for a file of another scan, EvidenceError for one that is none.
    """
    if not path.exists():
        return {}
    record = canonical.record_of(canonical.loads(path.read_bytes()), KEYS, "a scan")
    if (record["format"], record["version"]) != (FORMAT, VERSION):
        raise EvidenceError(f"{path} is no scan that this ownmark can read; name another file")
    if (record["claim"], record["how"]) != (claim.digest, how):
        raise UsageError(f"{path} holds a scan of another claim, or one with other options: name another file")
    try:
        return {key: _restored(one) for key, one in record["found"].items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise EvidenceError(f"{path} is a damaged scan: {error}") from error


def _restored(one: dict[str, Any]) -> Found:
    """Canonical JSON writes 1.0 as 1."""
    return Found(**one | {"outcome": Outcome(one["outcome"]), "p": float(one["p"])})


def write(path: Path, claim: Claim, how: str, found: Mapping[str, Found]) -> None:
    """Keep what was found, whole or not at all."""
    kept: dict[str, Any] = {key: asdict(one) | {"outcome": one.outcome.value} for key, one in found.items()}
    write_whole(path, canonical.dumps({"format": FORMAT, "version": VERSION, "claim": claim.digest, "how": how, "found": kept}))
