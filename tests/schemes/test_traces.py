"""Saliency and residuals in one claim: each test sees its own samples only, and one rule fixed in the claim decides."""

from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
from conftest import pictures, seed, tiny
from judging import NONCE, genuine, handed
from kin import owner_of, shaken

from ownmark.bench.trial import test_name as name_of
from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError, ProtectError, TooFewError, UsageError
from ownmark.evidence.ruling import Outcome, Session, ruled
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner
from ownmark.querying import control_twins
from ownmark.querying.answering import Hiding
from ownmark.querying.transcript import Decoys, Plan, Role, heard, heard_plainly
from ownmark.report.gallery import gallery
from ownmark.report.page import page
from ownmark.report.words import terms
from ownmark.schemes import traces
from ownmark.schemes.residual import Residual
from ownmark.schemes.saliency.objectives import Published
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.schemes.traces import LOWEST, Traces, joined
from ownmark.scoring.matches import BestMapped, Change, OnPattern, Score
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.combined import placed
from ownmark.verdicts.verdict import named
from ownmark.verdicts.verify import basis, findings, verify

EASY = Saliency(samples=4, descent=Descent(bound=0.1, steps=1), objective=Published(), map_threshold=0.2, masked=Change(0.05))
PLAIN = Residual(samples=20, least=0.0)
IMAGES = pictures(60)
OWNER = Owner(IMAGES, (shaken(tiny(0)),), owner_of(IMAGES).references)


@pytest.fixture(scope="module")
def parts() -> tuple[Claim, Claim]:
    """The claims of either scheme alone."""
    return EASY.protect(tiny(0), OWNER, seed(0)).claim, PLAIN.protect(tiny(0), OWNER, seed(0)).claim


@pytest.fixture(scope="module")
def claim(parts: tuple[Claim, Claim]) -> Claim:
    """Both together, calibrated by 19 innocents and read from its file."""
    calibrated = calibrate(joined(*parts), [Local(tiny(number)) for number in range(10, 29)])
    return Claim.from_bytes(calibrated.to_bytes())


def test_the_scheme_makes_both_and_keeps_its_own_name() -> None:
    made = Traces(EASY, PLAIN).protect(tiny(0), OWNER, seed(0)).claim
    assert made.images.shape == (4 + 10, 2, 16, 16, 3)
    assert made.scheme == repr(Traces(EASY, PLAIN))
    assert [type(test.match) for test in made.tests[:2]] == [OnPattern, Change]
    assert [test.match.reading for test in made.tests if isinstance(test.match, BestMapped)] == [
        Reading.SALIENCY,
        Reading.PROBABILITY,
    ]


def test_each_test_finds_what_it_finds_alone(claim: Claim, parts: tuple[Claim, Claim]) -> None:
    suspect = Local(shaken(tiny(0)))
    alone = {
        repr(finding.test.match.reading) + type(finding.test.match).__name__: finding.score
        for part in parts
        for finding in findings(part, suspect)
    }
    together = {
        repr(finding.test.match.reading) + type(finding.test.match).__name__: finding.score
        for finding in findings(claim, suspect)
        if not isinstance(finding.test.match, BestMapped)
    }
    assert together == pytest.approx(alone)


def test_the_best_score_decides_for_suspects_as_for_innocents(claim: Claim) -> None:
    for suspect, reading in ((Local(tiny(9)), Reading.SALIENCY), (Hiding(Local(tiny(9)), Reading.SALIENCY), Reading.PROBABILITY)):
        found = verify(claim, suspect, access={Reading.SALIENCY: "weights", Reading.PROBABILITY: "probabilities"}[reading])
        match = found.deciding.test.match
        assert isinstance(match, BestMapped)
        assert match.reading is reading
        parts = {place: one for place in match.tests for one in found.others if one.test is claim.tests[place]}
        scores = [match.counted(place, Score(one.score, one.interval)).value for place, one in parts.items()]
        assert len(scores) == len(match.tests)
        assert found.deciding.score == max(scores)
        assert found.deciding.p == found.deciding.test.null.p_value(max(scores))


def test_a_suspect_that_shows_labels_only_is_judged_by_no_best(claim: Claim) -> None:
    labels = [test for test in claim.tests if test.reading is Reading.LABEL]
    suspect = Hiding(Hiding(Local(tiny(0)), Reading.SALIENCY), Reading.PROBABILITY)
    if labels:
        assert verify(claim, suspect).deciding.test is labels[0]
        return
    with pytest.raises(UsageError, match="the claim needs one of"):
        verify(claim, suspect)


def test_the_page_shows_every_test_by_a_name_of_its_own(claim: Claim) -> None:
    text = page(claim, [verify(claim, Local(tiny(0))), verify(claim, Hiding(Local(tiny(9)), Reading.SALIENCY))])
    assert "how sure the model is, by residuals" in text
    assert "where the model looks, the best of several" in text
    assert "2 unchanged images" in text
    assert "counts, with a score of" in text


def test_every_test_has_a_short_name_of_its_own(claim: Claim) -> None:
    assert len({named(test) for test in claim.tests}) == len(claim.tests)


def test_an_unchanged_sample_shows_its_two_images_and_neither_a_change_nor_a_map_of_the_protected_model(claim: Claim) -> None:
    verdict = verify(claim, Local(tiny(0)))
    changed, *_, plain = gallery(claim, [verdict], terms(claim, 1)).rows
    assert all(tile.drawing for tile in changed.tiles)
    assert [bool(tile.drawing) for tile in plain.tiles] == [True, True, False, False, False, False]
    assert all(not tile.lines for tile in plain.tiles[:-1])


def test_fewer_control_twins_than_pairs_are_asked_about_in_a_claim_of_both(claim: Claim) -> None:
    twins, part = control_twins.controls_of(claim), control_twins.paired(claim)
    assert twins is not None
    (pairs,) = (test for test in claim.tests if control_twins.needed(test))
    assert len(control_twins.Controls(twins.rows[:2], twins.twins[:2]).asking(part, pairs).images) == 2


def test_where_no_pairs_hold_the_message_names_what_still_makes_a_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    for held, count in ((3, 2), (1, 1)):
        monkeypatch.setattr(traces, "fitted", Mock(side_effect=TooFewError(f"only {held} hold", held)))
        with pytest.raises(ProtectError, match=rf"only {held} hold.*samples={count}\)\).*Residual\(samples=20\)"):
            Traces(EASY, PLAIN).protect(tiny(0), OWNER, seed(0))
    monkeypatch.setattr(traces, "fitted", Mock(side_effect=ProtectError("none hold")))
    with pytest.raises(ProtectError, match=r"none hold\. The residuals hold, and .*Residual\(samples=20\)"):
        Traces(EASY, PLAIN).protect(tiny(0), OWNER, seed(0))


def test_a_bench_calls_what_decides_by_the_plain_name_and_its_parts_by_their_match(claim: Claim) -> None:
    names = [name_of(claim, test) for test in claim.tests]
    assert {"white_box", "white_box_onpattern", "black_box", "black_box_change", "black_box_crossedresidual"} <= set(names)
    assert len(set(names)) == len(names)


def test_the_file_of_a_claim_without_rows_says_nothing_of_rows(parts: tuple[Claim, Claim], claim: Claim) -> None:
    assert b"rows" not in parts[0].to_bytes()
    assert b'\\"rows\\":[0,4]' in claim.to_bytes()


@pytest.mark.parametrize("rows", [(0, 99), (3, 3), (0, 2)])
def test_rows_that_are_not_the_claims_are_refused(claim: Claim, rows: tuple[int, int]) -> None:
    with pytest.raises(ClaimError):
        replace(claim, tests=(replace(claim.tests[0], rows=rows),))


def test_the_best_of_tests_that_are_not_there_is_refused(claim: Claim) -> None:
    best = replace(claim.tests[-1], match=BestMapped(Reading.PROBABILITY, (1, 7), (None, None)))
    with pytest.raises(ClaimError, match="needs them in the claim"):
        replace(claim, tests=(*claim.tests[:-1], best))
    with pytest.raises(ClaimError, match="at least two"):
        BestMapped(Reading.PROBABILITY, (1,), (None,))


def test_the_best_of_tests_can_declare_neither_a_map_that_none_of_them_asks_for_nor_hide_one(claim: Claim) -> None:
    """With a map declared, a suspect that shows none would pass without control twins."""
    for place, reading in ((-1, Reading.SALIENCY), (-2, Reading.PROBABILITY)):
        match = claim.tests[place].match
        assert isinstance(match, BestMapped)
        assert match.reading is not reading
        best = replace(claim.tests[place], reading=reading, match=replace(match, reading=reading))
        with pytest.raises(ClaimError, match="strongest of their readings"):
            replace(claim, tests=(*claim.tests[:-2], best))


def test_an_odd_number_of_images_does_not_fill_samples_of_two() -> None:
    with pytest.raises(UsageError, match=r"multiple of 2.*Residual\(samples=22\)"):
        Traces(EASY, Residual(samples=21)).protect(tiny(0), OWNER, seed(0))


def test_a_sealed_claim_is_judged_by_what_its_best_score_rests_on(claim: Claim) -> None:
    """Three references carry no match, but all is computed: the best score, the judge's own residual if it rests on residuals."""
    part = genuine(handed(claim, None, "probabilities")).part
    assert part == claim
    plan = Plan(NONCE, Decoys(IMAGES.pixels, IMAGES.labels))
    asked = [heard(Hiding(Local(shaken(tiny(0))), Reading.SALIENCY), part, plan)]
    asked += [heard_plainly(Local(tiny(0)), part, Role.OWN, ordinary=plan.ordinary(part))]
    models = [Local(tiny(number)) for number in (40, 41, 42)]
    asked += [heard_plainly(one, part, Role.REFERENCE, "same-data", ordinary=plan.ordinary(part)) for one in models]
    ruling = ruled(genuine(handed(claim, None, "probabilities")), Session(tuple(asked), NONCE, IMAGES.labels))
    assert ruling.outcome is not Outcome.SUPPORTING
    told = findings(part, asked[0].replayed())
    rests, match = basis(part, ruling.finding, told)[0], ruling.finding.test.match
    assert isinstance(match, BestMapped)
    (place,) = (at for at, one in placed(part, match, told).items() if one is rests)
    assert match.counted(place, Score(rests.score, rests.interval)).value == ruling.finding.score
    assert ("J7 other images" in {step.name for step in ruling.steps}) == rests.graded


def test_a_score_and_its_interval_reach_from_the_highest_ends_of_the_mapped_ones(claim: Claim) -> None:
    found = verify(claim, Local(tiny(9)))
    match = found.deciding.test.match
    assert isinstance(match, BestMapped)
    counted = [match.counted(at, Score(one.score, one.interval)) for at, one in placed(claim, match, found.others).items()]
    lows, highs = zip(*(one.interval for one in counted), strict=True)
    assert found.deciding.interval == (max(lows), max(highs))
    assert np.all(np.diff(found.deciding.interval) >= 0)


def test_half_of_what_the_least_copy_shows_scores_one_half_and_residuals_count_as_they_are(parts: tuple[Claim, Claim]) -> None:
    copies = (Local(shaken(tiny(0))), Local(tiny(0)))
    shares = [min(one.score for one in each) for each in zip(*(findings(parts[0], copy) for copy in copies), strict=True)]
    match = joined(*parts, copies).tests[-2].match
    assert isinstance(match, BestMapped)
    assert match.reading is Reading.SALIENCY
    for place, share in enumerate(shares):
        middle = max(share / 2, LOWEST)
        assert match.counted(place, Score(middle, (0.0, 1.0))).value == pytest.approx(0.5)
    as_it_is = Score(0.3, (0.2, 0.4))
    assert match.counted(match.tests[-1], as_it_is) == as_it_is
