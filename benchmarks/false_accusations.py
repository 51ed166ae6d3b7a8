"""False-accusation rate of each route to a verdict, compared with its stated rate.

Simulated independent models pass through the package's own functions; every trial draws a new claim, key, calibration models
and suspects. For routes with many suspects, a trial is the whole series, and any MATCH in it is a false accusation. Writes
`false-accusations.json`: per route the measured share, its exact 99 % interval, and the stated rate.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ownmark.claims.claim import Claim, Test
from ownmark.evidence.scan import Scan
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement, Drop, Match, OnPattern
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Reading
from ownmark.statistics import multiplicity, p_values
from ownmark.statistics.p_values import clopper_pearson
from ownmark.statistics.sequential import Early
from ownmark.verdicts import ways
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify
from record import record

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from marked import innocent_of, marked_claim

from helped import helped

RATE = 0.05
VERDICTS, SERIES = 2000, 600  # trials of routes with one suspect, and with many
SUSPECTS, FEW = 20, 20  # suspects in a series, and samples in the first look
SAMPLES, CLASSES, INNOCENTS = 40, 5, 19
ROUNDING = 4e-4  # by how much a clone's probabilities differ
WAYS = 3  # accesses from which a claimant could choose the luckiest
NAMES = tuple(f"{place}" for place in range(FEW * WAYS - 1))


@dataclass(frozen=True)
class Sure:
    """An independent model that outputs the expected class, 0, on a share of the samples."""

    shares: npt.NDArray[np.float64]
    name: str
    digest: str = ""
    reveals: frozenset[Reading] = frozenset({Reading.LABEL, Reading.PROBABILITY})

    def read(self, images: npt.NDArray[np.uint8], question: Question) -> Answers:  # noqa: ARG002 - it knows what is asked
        known = {Reading.LABEL: self.shares.argmax(axis=1).astype(np.int64), Reading.PROBABILITY: self.shares}
        return {one: known[one] for one in question.readings}


def innocent(rng: np.random.Generator, name: str) -> Sure:
    """A member of a population with varying match rates."""
    shares = rng.dirichlet(np.ones(CLASSES), SAMPLES)
    hit, top = rng.random(SAMPLES) < rng.beta(2, 8), shares.argmax(axis=1)
    rows = np.flatnonzero(hit)
    shares[rows, 0], shares[rows, top[rows]] = shares[rows, top[rows]], shares[rows, 0]
    return Sure(shares, name)


def fingerprint(rng: np.random.Generator) -> Claim:
    """A claim with unkeyed labels."""
    images = rng.integers(0, 256, (SAMPLES, 1, 2, 2, 1), dtype=np.uint8)
    test = Test(Reading.LABEL, Agreement(), np.zeros(SAMPLES, dtype=np.int64), 1.0)
    return Claim(images, (test,), tuple("abcde"), "Stated()", "ab" * 32)


def by_rank(number: int) -> bool:
    rng = np.random.default_rng([number, 1])
    claim = calibrate(fingerprint(rng), [innocent(rng, f"{place}") for place in range(INNOCENTS)])
    return verify(claim, innocent(rng, "suspect"), alpha=RATE).outcome is Outcome.MATCH


def by_rank_among_clones(number: int) -> bool:
    """Thirty calibration models: ten models, three times each, in different containers."""
    rng = np.random.default_rng([number, 2])
    brought = []
    for place in range(10):
        one = innocent(rng, f"{place}")
        apart = [one.shares + rng.uniform(-ROUNDING, ROUNDING, one.shares.shape) for _ in range(3)]
        brought += [Sure(shares, f"{place} again {copy}") for copy, shares in enumerate(apart)]
    claim = calibrate(fingerprint(rng), brought)
    return verify(claim, innocent(rng, "suspect"), alpha=1 / 11).outcome is Outcome.MATCH


def by_strata(number: int) -> bool:
    """A judge's references in two strata; the harder stratum decides."""
    rng = np.random.default_rng([number, 3])
    scores = rng.binomial(SAMPLES, rng.beta(2, 8, 2 * INNOCENTS + 1)) / SAMPLES
    ranks = [p_values.rank_p(scores[-1], list(scores[:INNOCENTS])), p_values.rank_p(scores[-1], list(scores[INNOCENTS:-1]))]
    return multiplicity.intersection_union(ranks) <= RATE


def by_key(number: int) -> bool:
    claim = marked_claim(number, grinding=0)
    return verify(claim, innocent_of(claim, number), alpha=RATE).outcome is Outcome.MATCH


def in_sequence(number: int) -> bool:
    claim = marked_claim(number, grinding=0)
    return verify(claim, innocent_of(claim, number), alpha=RATE, early=Early()).outcome is Outcome.MATCH


@dataclass(frozen=True)
class Shown:
    """An independent model that shows one reading; `hits`: the samples that match by it."""

    hits: npt.NDArray[np.bool_]
    reading: Reading
    name: str = "suspect"
    digest: str = ""

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset({self.reading})

    def read(self, images: npt.NDArray[np.uint8], question: Question) -> Answers:  # noqa: ARG002 - it knows what is asked
        hits = np.repeat(self.hits, 2)
        found = np.full((len(hits), CLASSES), 1 / CLASSES)
        found[0::2][self.hits] = np.eye(CLASSES)[0]
        known = {
            Reading.SALIENCY: hits[:, None, None] * np.ones((1, 2, 2)),
            Reading.PROBABILITY: found,
            Reading.LABEL: np.where(hits, 0, 1),
        }
        return {self.reading: known[self.reading]}


def in_three_ways(rng: np.random.Generator) -> Claim:
    """A claim on three readings, calibrated by models whose rates by one of them say nothing of the others."""
    images, expected = rng.integers(0, 256, (SAMPLES, 2, 2, 2, 1), dtype=np.uint8), np.zeros(SAMPLES, dtype=np.int64)
    matches: dict[Reading, Match] = {
        Reading.SALIENCY: OnPattern(0.5, ((0, 0),), (2, 2)),
        Reading.PROBABILITY: Drop(0.5),
        Reading.LABEL: Agreement(),
    }
    tests = tuple(
        Test(reading, match, expected, 1.0, null=Innocents(tuple(rates(rng, FEW * WAYS - 1)), NAMES))
        for reading, match in matches.items()
    )
    return Claim(images, tests, tuple("abcde"), "Stated()", "ab" * 32)


def rates(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Match rates of members of a population."""
    return rng.binomial(SAMPLES, rng.beta(2, 8, count)) / SAMPLES


def by_access(number: int, named: str | None) -> bool:
    """Whether a model that is shown in three ways, one after another, matches by any. `named`: None: each one afterwards."""
    rng = np.random.default_rng([number, 4])
    claim = in_three_ways(rng)
    found = []
    for test in claim.tests:
        hits = rng.permutation(SAMPLES) < round(float(rates(rng, 1)[0]) * SAMPLES)
        by = ways.way(test) if named is None else named
        found.append(verify(claim, Shown(hits, test.reading), alpha=RATE, access=by).outcome)
    return Outcome.MATCH in found


def by_chosen_access(number: int) -> bool:
    """No way was named, and the claimant keeps the luckiest."""
    return by_access(number, "")


def by_named_access(number: int) -> bool:
    """One way was named, and the claimant shows the others too."""
    return by_access(number, "probabilities")


def by_access_before(number: int) -> bool:
    """The former method: the way that was shown decided, at the whole rate."""
    return by_access(number, None)


def scanned(number: int, scans: list[tuple[int, float]]) -> bool:
    """Whether scans with these numbers of suspects and shares of the rate accuse any of twenty independent models."""
    claim, names = marked_claim(number, grinding=0), iter(range(SUSPECTS))
    for count, share in scans:
        plan = Scan(claim, count, RATE, FEW, share)
        found = {f"{place}": plan.found(innocent_of(claim, SUSPECTS * number + next(names))) for place in range(count)}
        if any(row.outcome is Outcome.MATCH for row in plan.table(list(found), found)):
            return True
    return False


def at_once(number: int) -> bool:
    return scanned(number, [(SUSPECTS, multiplicity.scan_share(1, last=True))])


def one_by_one(number: int) -> bool:
    return scanned(number, [(1, multiplicity.scan_share(place)) for place in range(1, SUSPECTS + 1)])


def in_portions(number: int) -> bool:
    return scanned(number, [(5, multiplicity.scan_share(place, last=place == SUSPECTS // 5)) for place in range(1, 5)])


def one_by_one_before(number: int) -> bool:
    """The former method: each suspect had the whole rate."""
    return scanned(number, [(1, 1.0)] * SUSPECTS)


ROUTES: dict[str, tuple[Callable[[int], bool], int, float]] = {
    "rank": (by_rank, VERDICTS, RATE),
    "rank_among_clones": (by_rank_among_clones, VERDICTS, 1 / 11),
    "strata": (by_strata, VERDICTS, RATE),
    "keyed": (by_key, VERDICTS, RATE),
    "sequential": (in_sequence, VERDICTS, RATE),
    "access_chosen": (by_chosen_access, VERDICTS, RATE),
    "access_named": (by_named_access, VERDICTS, RATE),
    "scan_at_once": (at_once, SERIES, RATE),
    "scan_one_by_one": (one_by_one, SERIES, RATE),
    "scan_in_portions": (in_portions, SERIES, RATE),
}


def main() -> None:
    """Every route, and for comparison scanning one by one and choosing the access before the rate was divided."""
    figures: dict[str, float] = {}
    for name, (accused, trials, stated) in ROUTES.items():
        hits = sum(map(accused, range(trials)))
        low, high = clopper_pearson(hits, trials, 0.99)
        told = {"found": hits / trials, "low": low, "high": high, "stated": stated, "trials": trials, "holds": low <= stated}
        figures |= {f"{name}.{key}": value for key, value in told.items()}
    figures["unshared.scan_one_by_one"] = sum(map(one_by_one_before, range(SERIES))) / SERIES
    figures["unshared.access_chosen"] = sum(map(by_access_before, range(VERDICTS))) / VERDICTS
    setting = (
        f"keyed: 100 triggers of 10 classes, no allowance for tried keys, so that a rate can be seen; "
        f"by rank: {SAMPLES} samples; series of {SUSPECTS} innocents; innocents among clones: 10 of which each comes three times"
    )
    record("false-accusations", figures, seeds={"trials": f"0-{VERDICTS - 1}"}, setting=setting)


if __name__ == "__main__":
    helped(__doc__)
    main()
