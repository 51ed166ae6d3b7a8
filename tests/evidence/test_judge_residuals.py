"""A sealed claim on residuals before a judge: the genuine one prevails; invented weights, innocents and lucky images do not."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from judging import genuine, handed
from residual_court import ACCUSED, ASKED, COPY, JUDGES, TARGET, Classifier, calibrated, claim_of, drawn, honest, pixels, told_by
from sealing import SEEN, THIEF

from ownmark.claims.claim import Claim, Test
from ownmark.errors import EvidenceError, KindError, MapError, OwnmarkError
from ownmark.evidence import claim_record
from ownmark.evidence.admissibility import Trust
from ownmark.evidence.ruling import OWN_CONFIDENCE, Outcome, Rules, Ruling, Session, ruled
from ownmark.evidence.scan import Scan
from ownmark.evidence.verdict_file import Judged, recomputed
from ownmark.protocols import Question
from ownmark.querying.transcript import DECOYS, Role, from_record, heard_plainly
from ownmark.scoring.matches import BestOf, CrossedResidual, OnPattern, scored
from ownmark.scoring.matches.crossed_residual import crossed, features
from ownmark.scoring.readings import Answers, Floats, Reading
from ownmark.verdicts.verdict import Outcome as VerdictOutcome
from ownmark.verdicts.verify import basis, findings, verify
from ownmark.workflows.judge import JudgeResult


def judged(claim: Claim, suspect: Classifier, **how: Any) -> Ruling:
    found = genuine(handed(claim, None, "probabilities"))
    assert found.part is not None
    return ruled(found, told_by(found.part, suspect, **how))


def step(ruling: Ruling, name: str) -> tuple[bool | None, str]:
    return next((one.passed, one.told) for one in ruling.steps if one.name == name)


@pytest.fixture(scope="module")
def claim() -> Claim:
    return honest()


def test_a_genuine_claim_finds_a_copy_and_a_student_and_no_innocent(claim: Claim) -> None:
    student = Classifier(3, 0.7 * TARGET.own + 0.7 * drawn(61))
    for suspect in (TARGET, COPY, student):
        ruling = judged(claim, suspect)
        assert ruling.outcome is Outcome.SUPPORTING, ruling.reason
        assert ruling.log10_p == pytest.approx(np.log10(0.05))
        assert step(ruling, "J7 other images")[0] is True
    for number in range(200, 203):
        assert judged(claim, Classifier(number)).outcome in {Outcome.NO_MATCH, Outcome.INCONCLUSIVE}


def test_a_judge_and_verify_take_no_suspect_for_a_copy_that_lies_further_away_than_any(claim: Claim) -> None:
    far = Classifier(70, 4.0 * TARGET.own)
    found = genuine(handed(claim, None, "probabilities"))
    assert found.part is not None
    asked = told_by(found.part, far)
    before, now = ruled(found, asked, Rules(near=False)), ruled(found, asked)
    assert (before.outcome, now.outcome) == (Outcome.SUPPORTING, Outcome.INCONCLUSIVE)
    assert "times as far as the protected model's own" in now.reason
    assert step(now, "J7 too far")[0] is None
    assert verify(claim, far).outcome is VerdictOutcome.INCONCLUSIVE
    bundle = SimpleNamespace(opening=SimpleNamespace(claim=found.part))
    signed = SimpleNamespace(bundle=bundle, session=asked, ruling=before, ruled_by=lambda rules: ruled(found, asked, rules))
    one: Any = SimpleNamespace(judged=signed)
    assert "times as far" in JudgeResult(one).doubt, "beside a match that an earlier version signed"


def test_a_verdict_of_version_3_follows_by_the_rules_of_version_3(claim: Claim) -> None:
    bundle = handed(claim, None, "probabilities")
    asked = told_by(claim, Classifier(70, 4.0 * TARGET.own))
    for version, score in ((3, 1.0), (4, 0.0)):
        written = Judged(bundle, Trust(), SEEN, asked, {}, version=version).signed(THIEF).data
        again = recomputed(written, bundle).judged
        assert (again.version, round(again.ruling.finding.score, 2)) == (version, score)


def forged_weights() -> Claim:
    """Weights written down for one model that the forger knows: what it answers, less what others do. Their own fits too."""
    images = pixels(9, ASKED)
    others = np.mean([np.sqrt(one.shares(images)) for one in (Classifier(10), Classifier(11))], axis=0)
    away = np.sqrt(ACCUSED.shares(images)) - others
    own = np.sqrt(TARGET.shares(images)) - others
    weights = away / (away**2).sum(axis=1).mean() + own / (own**2).sum(axis=1).mean()
    return claim_of(images, np.concatenate([weights, (weights * others).sum(axis=1, keepdims=True)], axis=1))


def ground_images() -> Claim:
    """The images, of 60,000, where the forger's model and a known one happen to deviate from others alike; honest weights."""
    pool = pixels(11, 60_000)
    others = np.stack([np.sqrt(Classifier(number).shares(pool)) for number in (10, 11, 12)])
    own, accused = (np.sqrt(one.shares(pool)) for one in (TARGET, ACCUSED))
    middle = others.mean(axis=0)
    alike = ((own - middle) * (accused - middle)).sum(axis=1)
    kept = np.argsort(-alike)[:ASKED]
    weights = (own - middle)[kept] / ((own - middle)[kept] ** 2).sum(axis=1).mean()
    return claim_of(pool[kept], np.concatenate([weights, (weights * middle[kept]).sum(axis=1, keepdims=True)], axis=1))


@pytest.mark.parametrize("forged", [forged_weights, ground_images])
def test_what_is_made_for_one_known_model_ends_at_images_that_the_claimant_did_not_choose(forged: Any) -> None:
    ruling = judged(forged(), ACCUSED)
    assert "p by rank, the largest counts: 0.05 among 19 same-data" in step(ruling, "J7 main test")[1], (
        "it fools the claim's test"
    )
    assert step(ruling, "J4 own model")[0] is True
    assert step(ruling, "J7 other images")[0] is False
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert "by the claimant's weights only" in ruling.reason
    assert ruling.log10_p > np.log10(0.05)


def test_invented_references_make_all_models_score_high_and_invented_innocents_do_not_count() -> None:
    """Weighed against a reference that knows nothing, every model that can do the task deviates as the forger's does."""
    images = pixels(12, ASKED)
    weights = np.sqrt(TARGET.shares(images)) - 0.5
    forged = claim_of(images, np.concatenate([weights, np.zeros((ASKED, 1))], axis=1), middle=0.01)
    ruling = judged(forged, ACCUSED)
    assert ruling.finding.score > 0.99
    assert ruling.finding.p == 0.05, "by the innocents that the forger invented"
    assert ruling.outcome in {Outcome.NO_MATCH, Outcome.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("lacking", "told"),
    [({"own": False}, "claimant's own model"), ({"ordinary": False}, "--decoys"), ({"judges": JUDGES[:2]}, "3 references")],
)
def test_without_the_judges_own_residual_a_claim_on_residuals_settles_nothing(claim: Claim, lacking: Any, told: str) -> None:
    ruling = judged(claim, COPY, **lacking)
    assert (ruling.outcome, told in ruling.reason) == (Outcome.INCONCLUSIVE, True), ruling.reason


def shown_p(told: str) -> float:
    return float(told.split("p = ")[1].split(maxsplit=1)[0])


def by_one(claim: Claim, suspect: Classifier, reading: Reading = Reading.LABEL, access: str = "labels") -> Ruling:
    only = replace(claim, tests=both_readings(claim, reading).tests[1:])
    return ruled(genuine(handed(only, None, access)), told_by(only, suspect))


@pytest.mark.parametrize(("reading", "access"), [(Reading.LABEL, "labels"), (Reading.BEST, "best")])
def test_labels_and_the_best_class_alone_are_judged_by_those_of_everybody(claim: Claim, reading: Reading, access: str) -> None:
    suspect = replace(COPY, reveals=frozenset({reading, Reading.LABEL}))
    passed, told = step(by_one(claim, suspect, reading, access), "J7 other images")
    assert passed is not None
    assert "residual on 300 images of the judge's" in told


def both_readings(claim: Claim, reading: Reading = Reading.LABEL) -> Claim:
    """Residuals by probabilities and by another reading: two ways of asking."""
    (test,) = claim.tests
    found = replace(test.match, reading=reading)  # type: ignore[type-var]
    return replace(claim, tests=(test, replace(test, reading=reading, match=found)))


def test_the_judges_own_residual_pays_for_the_ways_of_asking_too(claim: Claim) -> None:
    found = genuine(handed(both_readings(claim), None, ""))
    assert found.part is not None
    assert step(ruled(found, told_by(found.part, COPY)), "J7 other images")[0] is False, "0.05 twice"
    named = genuine(handed(both_readings(claim), None, "probabilities"))
    assert step(ruled(named, told_by(found.part, COPY)), "J7 other images")[0] is True


def test_of_two_residuals_in_the_best_of_tests_the_judge_takes_the_less_favourable_one(claim: Claim) -> None:
    test, labels = both_readings(claim).tests
    labels = replace(labels, match=CrossedResidual(0.9, 0.06, Reading.LABEL))  # harder, so that the score rests on the other one
    best = calibrated(Test(Reading.PROBABILITY, BestOf(Reading.PROBABILITY, (0, 1)), np.zeros(ASKED, dtype=np.int64), 0.9))
    found = genuine(handed(replace(claim, tests=(test, labels, best)), None, "probabilities"))
    assert found.part is not None
    weak = Classifier(4, 0.3 * TARGET.own + 0.95 * drawn(62))
    session = told_by(found.part, weak)
    both, parts = ruled(found, session), findings(found.part, session.suspect.replayed())
    assert basis(found.part, both.finding, parts)[0].test.reading is Reading.PROBABILITY
    plain, labelled, taken = (step(one, "J7 other images")[1] for one in (judged(claim, weak), by_one(claim, weak), both))
    assert shown_p(plain) < shown_p(labelled)
    assert taken == labelled


def test_a_group_of_references_alike_on_the_triggers_has_the_highest_residual_of_its_members(claim: Claim) -> None:
    found, session = genuine(handed(claim, None, "probabilities")), told_by(claim, COPY)
    first, own = session.references[0], session.heard[1]
    twin = replace(first, name="twin", digest=f"{999:064x}", given={**first.given, DECOYS: own.given[DECOYS]})
    assert step(ruled(found, session), "J7 other images")[0] is True
    ruling = ruled(found, replace(session, heard=(*session.heard, twin)))
    passed, told = step(ruling, "J7 other images")
    assert (passed, "p = 0.1 among 19 same-data" in told) == (False, True), told


@pytest.mark.parametrize("combined", [False, True])
def test_the_claimants_own_model_may_miss_a_graded_score_by_what_its_99_percent_interval_allows(
    claim: Claim, *, combined: bool
) -> None:
    wide = both_readings(replace(claim, tests=(replace(claim.tests[0], match=CrossedResidual(1.0, 0.5)),)))
    best = Test(Reading.PROBABILITY, BestOf(Reading.PROBABILITY, (0, 1)), np.zeros(ASKED, dtype=np.int64), 0.9)
    told = findings(wide, TARGET)
    low, high = (
        max(scored(one.test.match, one.observed, one.test.expected, level)[1].interval[1] for one in told[: 1 + combined])
        for level in (0.95, OWN_CONFIDENCE)
    )
    assert low < high
    for score, borne in (((low + high) / 2, True), (high + 1e-6, False)):
        tests = (*wide.tests, calibrated(best)) if combined else wide.tests[:1]
        tests = (*tests[:-1], replace(tests[-1], target_score=score))
        assert step(judged(replace(wide, tests=tests), COPY), "J4 own model")[0] is borne


def test_the_record_of_a_hearing_gives_the_same_ruling(claim: Claim) -> None:
    found, session = genuine(handed(claim, None, "probabilities")), told_by(claim, COPY)
    again = Session(tuple(from_record(one.record) for one in session.heard), session.nonce, session.classes)
    assert all(DECOYS in one.given for one in again.heard)
    assert ruled(found, again).steps == ruled(found, session).steps


def test_another_weight_or_offset_is_not_what_was_sealed(claim: Claim) -> None:
    bundle = handed(claim, None, "probabilities")
    (test,) = claim.tests
    changed = test.expected.copy()
    changed[3, -1] += 1e-9
    assert bundle.opening is not None
    other = replace(claim, tests=(replace(test, expected=changed),))
    with pytest.raises(EvidenceError, match="not the one that was sealed"):
        genuine(replace(bundle, opening=replace(bundle.opening, claim=other)))
    assert claim_record.leaves(other, bundle.opening.blinds) != claim_record.leaves(claim, bundle.opening.blinds)


def test_the_residual_without_a_claim_is_the_sum_over_pairs_written_out() -> None:
    rng = np.random.default_rng(0)
    target, suspect, *others = (features(Reading.PROBABILITY, rng.dirichlet(np.ones(3), 5), 3) for _ in range(6))

    def slow(one: Floats) -> float:
        pairs = [(first, second) for first in range(4) for second in range(4) if first != second]
        return float(sum(((target - others[first]) * (one - others[second])).sum() for first, second in pairs))

    assert crossed(target, suspect, np.stack(others)) == pytest.approx(slow(suspect) / slow(target))
    assert crossed(target, suspect, np.stack([target, target])) is None, "nothing of its own"


def test_a_scan_by_a_named_way_finds_what_a_verdict_by_it_finds_where_the_best_of_tests_decides(claim: Claim) -> None:
    test, labels = both_readings(claim).tests
    best = calibrated(Test(Reading.PROBABILITY, BestOf(Reading.PROBABILITY, (1, 2)), np.zeros(ASKED, dtype=np.int64), 0.9))
    labels = replace(labels, expected=labels.expected / 2)  # of labels the weights of probabilities make a copy's residual 2
    whole = replace(claim, tests=(both_readings(claim, Reading.BEST).tests[1], labels, test, best))
    for access in ("probabilities", "best", "labels"):
        found, verdict = Scan(whole, 1, 0.05, 20, access=access).found(COPY), verify(whole, COPY, access=access)
        assert (found.p, found.outcome, verdict.outcome) == (verdict.deciding.p, verdict.outcome, VerdictOutcome.MATCH), access
    hidden = Scan(whole, 1, 0.05, 20, access="probabilities").found(replace(COPY, reveals=frozenset({Reading.LABEL})))
    assert (hidden.p, hidden.queries, "does not show its probabilities" in hidden.why) == (1.0, 0, True)


@dataclass
class Without(Classifier):
    """A model that raises an error wherever one reading is asked for."""

    lacking: Reading = Reading.PROBABILITY
    error: OwnmarkError = KindError("logits or probabilities?")

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        if self.lacking in question.readings:
            raise self.error
        return Classifier.read(self, images, question)


def test_the_best_class_is_as_unsettled_as_the_probabilities_that_it_follows_from(claim: Claim) -> None:
    verdict = verify(both_readings(claim, Reading.BEST), Without(5), access="best")
    assert (verdict.outcome.name, verdict.reason) == ("INCONCLUSIVE", "logits or probabilities?")


def test_a_model_without_a_map_is_heard_by_probabilities_where_only_the_best_class_is_wanted_of_them(claim: Claim) -> None:
    best = both_readings(claim, Reading.BEST).tests[1]
    seen = Test(Reading.SALIENCY, OnPattern(0.5, ((0, 0),), (2, 2)), np.zeros(ASKED, dtype=np.int64), 0.9, "layer")
    shown = frozenset({Reading.SALIENCY, Reading.PROBABILITY, Reading.LABEL})
    model = Without(5, reveals=shown, lacking=Reading.SALIENCY, error=MapError("no layer"))
    asked = heard_plainly(model, replace(claim, tests=(seen, best)), Role.OWN)
    assert set(asked.given["as sealed"]) == {Reading.PROBABILITY, Reading.LABEL}
