"""The way of asking that decides: named before, it decides alone; not named, p pays for every way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from false_accusations import SAMPLES, Shown, by_access_before, by_chosen_access, by_named_access, in_three_ways
from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.evidence.scan import Scan
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Reading
from ownmark.verdicts import ways
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

EVERY = np.ones(SAMPLES, dtype=bool)
BY = {Reading.SALIENCY: "weights", Reading.PROBABILITY: "probabilities", Reading.LABEL: "labels"}


@pytest.fixture(scope="module")
def claim() -> Claim:
    """Calibrated by 59 innocents, none of which matches on every sample."""
    return in_three_ways(np.random.default_rng(0))


@pytest.mark.parametrize("reading", BY)
def test_without_a_name_p_pays_for_every_way(claim: Claim, reading: Reading) -> None:
    found = verify(claim, Shown(EVERY, reading))
    assert found.outcome is Outcome.MATCH
    assert found.deciding.p == pytest.approx(3 / 60)
    assert "p pays for 3 ways of asking" in found.reason
    few = verify(claim, Shown(EVERY, reading), alpha=0.04)
    assert few.outcome is Outcome.INCONCLUSIVE
    assert "Calibrate with at least 74 innocent models, or name one way of asking before you ask" in few.reason
    assert Scan(claim, 1, 0.05, SAMPLES).found(Shown(EVERY, reading)).p == pytest.approx(3 / 60)


@pytest.mark.parametrize("reading", BY)
@pytest.mark.parametrize("named", BY.values())
def test_a_way_that_was_named_decides_alone(claim: Claim, reading: Reading, named: str) -> None:
    suspect = Shown(EVERY, reading)
    found, scanned = verify(claim, suspect, access=named), Scan(claim, 1, 0.05, SAMPLES, access=named)
    if BY[reading] == named:
        assert found.outcome is Outcome.MATCH
        assert found.deciding.p == pytest.approx(1 / 60)
        assert scanned.found(suspect).p == pytest.approx(1 / 60)
        return
    assert (found.outcome, found.queries) == (Outcome.INCONCLUSIVE, 0), "it is not even asked"
    assert f"does not show its {named}, the only way of asking that counts" in found.reason
    row = scanned.found(suspect)
    assert (row.outcome, row.p, row.queries, row.why) == (Outcome.INCONCLUSIVE, 1, 0, found.reason)


def test_a_claim_that_nobody_calibrated_says_so_by_a_named_way_too(claim: Claim) -> None:
    plain = replace(claim, tests=tuple(replace(test, null=Uncalibrated()) for test in claim.tests))
    found = verify(plain, Shown(EVERY, Reading.LABEL), access="labels")
    assert (found.outcome, found.deciding.p) == (Outcome.INCONCLUSIVE, 1)
    assert "Calibrate" in found.reason
    assert "does not show" not in found.reason


def test_a_way_that_the_claim_does_not_ask_by_cannot_be_named(claim: Claim) -> None:
    only = replace(claim, tests=claim.tests[:1])
    with pytest.raises(UsageError, match="the claim asks by weights, not by labels"):
        verify(only, Shown(EVERY, Reading.SALIENCY), access="labels")
    assert verify(only, Shown(EVERY, Reading.SALIENCY)).deciding.p == pytest.approx(1 / 60), "one way needs no name"
    assert ways.strongest(claim, Shown(EVERY, Reading.LABEL)) == "labels"


def test_the_luckiest_of_three_accesses_accuses_no_oftener_than_the_rate() -> None:
    """Simulated; with the former rule one accusation in seven was false."""
    trials = 60
    most = int(binom.ppf(0.9999, trials, 0.05))
    assert sum(map(by_chosen_access, range(trials))) <= most
    assert sum(map(by_named_access, range(trials))) <= most
    assert sum(map(by_access_before, range(trials))) > sum(map(by_chosen_access, range(trials)))
