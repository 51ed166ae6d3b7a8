"""The judge: what a verdict promises to owner and accused, whatever the suspect answers."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Fake, small_claim, tiny
from hypothesis import given
from hypothesis import strategies as st

from ownmark.claims.claim import Claim, Test
from ownmark.errors import AnswerError, UsageError
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import Innocents, Uncalibrated
from ownmark.scoring.readings import Answers, Reading
from ownmark.statistics.p_values import clopper_pearson
from ownmark.suspects.local import Local
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

SAMPLES = 20


def labelled(target_score: float = 1.0, count: int = SAMPLES, **changes: Any) -> Claim:
    """A claim that asks for `count` labels, all 0."""
    test = Test(Reading.LABEL, Agreement(), np.zeros(count, dtype=np.int64), target_score)
    return small_claim(count, tests=(test,), **changes)


def scoring(hits: int, name: str = "fake", count: int = SAMPLES) -> Fake:
    """A suspect that gives the expected label for the first `hits` samples of `labelled`, in both views."""
    return Fake({Reading.LABEL: np.repeat(np.arange(count) >= hits, 2).astype(np.int64)}, name)


def calibrated(hits: list[int], **changes: Any) -> Claim:
    return calibrate(labelled(**changes), [scoring(found, f"innocent {place}") for place, found in enumerate(hits)])


def sure(answers: dict[Reading, npt.NDArray[Any]] | None = None) -> Fake:
    """A suspect that matches all samples of `small_claim` in every reading, but for the `answers` given."""
    expected = np.repeat(np.arange(2), 2)
    probabilities = np.full((4, 3), 0.05)
    probabilities[np.arange(4), expected] = 0.9
    probabilities[1::2] = 1 / 3
    maps = np.tile(np.array([[0.7, 0.7], [0.1, 0.1]]), (4, 1, 1))
    whole: dict[Reading, npt.NDArray[Any]] = {
        Reading.LABEL: expected,
        Reading.PROBABILITY: probabilities,
        Reading.SALIENCY: maps,
    }
    return Fake(whole | (answers or {}))


def test_a_suspect_above_every_innocent_matches() -> None:
    verdict = verify(calibrated([k % 5 for k in range(19)]), scoring(18))
    assert verdict.outcome is Outcome.MATCH
    assert verdict.deciding.score == 18 / 20
    assert verdict.deciding.p == verdict.deciding.smallest == 1 / 20
    assert verdict.deciding.interval == clopper_pearson(18, 20)
    assert verdict.deciding.matches.tolist() == [True] * 18 + [False] * 2
    assert verdict.queries == 2 * SAMPLES


def test_a_suspect_that_only_ties_with_the_best_innocent_does_not_match() -> None:
    claim = calibrated([5] + [0] * 18)
    assert verify(claim, scoring(6)).outcome is Outcome.MATCH
    verdict = verify(claim, scoring(5))
    assert verdict.outcome is Outcome.NO_MATCH
    assert verdict.deciding.p == 2 / 20


def test_a_score_that_could_still_be_the_protected_models_own_is_inconclusive() -> None:
    claim = calibrated([19] + [0] * 18, target_score=0.9)
    assert verify(claim, scoring(18)).outcome is Outcome.INCONCLUSIVE
    assert verify(claim, scoring(10)).outcome is Outcome.NO_MATCH


@given(st.integers(0, SAMPLES), st.floats(0.001, 0.999))
def test_an_uncalibrated_claim_never_matches_whatever_the_score(hits: int, alpha: float) -> None:
    verdict = verify(labelled(), scoring(hits), alpha=alpha)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.deciding.p == 1


@given(st.integers(1, 30), st.floats(0.001, 0.5))
def test_too_few_innocents_never_match_and_enough_do(count: int, alpha: float) -> None:
    enough = 1 / (count + 1) <= alpha
    verdict = verify(calibrated([0] * count), scoring(SAMPLES), alpha=alpha)
    assert verdict.outcome is (Outcome.MATCH if enough else Outcome.INCONCLUSIVE)


def test_a_verdict_says_how_many_innocents_would_be_enough() -> None:
    for count in range(1, 400):
        alpha = 1 / (count + 1)
        reason = verify(labelled(), scoring(SAMPLES), alpha=alpha).reason
        assert f"at least {count} innocent models" in reason


@pytest.mark.parametrize(("hits", "innocent"), [(20, 0), (2, 8), (18, 19)])
def test_every_reason_names_the_smallest_p_that_could_have_been_reached(hits: int, innocent: int) -> None:
    verdict = verify(calibrated([innocent] * 24), scoring(hits))
    assert f"{1 / 25:.3g}" in verdict.reason
    assert "0.333" in verify(calibrated([0, 0]), scoring(hits)).reason


def test_of_twenty_innocents_no_more_than_one_is_accused_at_five_percent() -> None:
    """Leave one out: the share of exchangeable innocents that are accused is at most alpha, ties or not."""
    generator = np.random.default_rng(0)
    for spread in (3, 8, 20):
        hits = generator.integers(0, spread + 1, 20).tolist()
        accused = [
            verify(calibrated(hits[:place] + hits[place + 1 :]), scoring(found)).outcome is Outcome.MATCH
            for place, found in enumerate(hits)
        ]
        assert sum(accused) <= 1


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, 1.5, math.nan, math.inf])
def test_an_alpha_that_is_no_error_rate_is_refused_before_any_query(alpha: float) -> None:
    suspect = scoring(SAMPLES)
    with pytest.raises(UsageError, match="alpha"):
        verify(labelled(), suspect, alpha=alpha)
    assert suspect.asked == []


def test_a_suspect_that_reveals_nothing_needed_is_refused_before_any_query() -> None:
    suspect = Fake({Reading.PROBABILITY: np.zeros((40, 3))})
    with pytest.raises(UsageError, match="needs one of: label; fake reveals: probability"):
        verify(labelled(), suspect)
    assert suspect.asked == []


def test_the_suspect_is_asked_once_for_everything() -> None:
    suspect = sure()
    verdict = verify(small_claim(), suspect)
    (question,) = suspect.asked
    assert question.readings == frozenset(small_claim().readings)
    assert question.target.tolist() == [0, 0, 1, 1]
    assert question.layer == "stages"
    assert verdict.queries == 4


def test_the_strongest_reading_that_the_suspect_reveals_decides() -> None:
    claim = small_claim()
    assert verify(claim, sure()).deciding.test.reading is Reading.SALIENCY
    assert [finding.test.reading for finding in verify(claim, sure()).others] == [Reading.PROBABILITY, Reading.LABEL]
    answers = sure().answers
    remote = Fake({reading: answers[reading] for reading in (Reading.LABEL, Reading.PROBABILITY)})
    assert verify(claim, remote).deciding.test.reading is Reading.PROBABILITY
    assert verify(claim, Fake({Reading.LABEL: answers[Reading.LABEL]})).others == ()


def test_a_weaker_test_decides_where_the_strongest_was_never_calibrated() -> None:
    claim = small_claim()
    innocents = tuple(0.0 for _ in range(19)), tuple(f"model {place}" for place in range(19))
    verdict = verify(claim.with_nulls({1: Innocents(*innocents)}), sure())
    assert verdict.deciding.test.reading is Reading.PROBABILITY
    assert verdict.outcome is Outcome.MATCH
    assert [finding.test.reading for finding in verdict.others] == [Reading.SALIENCY, Reading.LABEL]


def test_a_verdict_names_the_claim_and_the_suspect_that_it_speaks_of() -> None:
    suspect = scoring(3)
    suspect.digest = "ab"
    verdict = verify(labelled(), suspect, alpha=0.25)
    assert (verdict.claim, verdict.suspect, verdict.suspect_digest) == (labelled().digest, "fake", "ab")
    assert verdict.alpha == 0.25


def spoilt(reading: Reading, place: tuple[int, ...], value: float) -> npt.NDArray[Any]:
    answers = np.array(sure().answers[reading], dtype=np.float64)
    answers[place] = value
    return answers


BROKEN: dict[str, dict[Reading, npt.NDArray[Any]]] = {
    "a label that is NaN": {Reading.LABEL: spoilt(Reading.LABEL, (1,), np.nan)},
    "a label beyond the classes": {Reading.LABEL: np.array([0, 0, 1, 3])},
    "a label below zero": {Reading.LABEL: np.array([0, 0, 1, -1])},
    "a label that is half a class": {Reading.LABEL: np.array([0, 0, 1, 0.5])},
    "labels that are words": {Reading.LABEL: np.array(["nv", "nv", "bcc", "bcc"])},
    "labels that are missing": {Reading.LABEL: np.array([0, 0, 1, None])},
    "too few labels": {Reading.LABEL: np.array([0, 0, 1])},
    "too many labels": {Reading.LABEL: np.array([0, 0, 1, 1, 1])},
    "no labels": {Reading.LABEL: np.array([])},
    "one answer for all": {Reading.LABEL: np.array(0)},
    "two labels an image": {Reading.LABEL: np.zeros((4, 2), dtype=np.int64)},
    "a probability that is NaN": {Reading.PROBABILITY: spoilt(Reading.PROBABILITY, (3, 1), np.nan)},
    "a probability that is infinite": {Reading.PROBABILITY: spoilt(Reading.PROBABILITY, (0, 0), np.inf)},
    "a negative probability": {Reading.PROBABILITY: np.tile([1.2, -0.1, -0.1], (4, 1))},
    "logits": {Reading.PROBABILITY: np.tile([4.0, -1.0, 0.5], (4, 1))},
    "probabilities in percent": {Reading.PROBABILITY: np.tile([80.0, 15.0, 5.0], (4, 1))},
    "scores of each class on its own": {Reading.PROBABILITY: np.tile([0.9, 0.8, 0.1], (4, 1))},
    "one class more": {Reading.PROBABILITY: np.full((4, 4), 0.25)},
    "one class less": {Reading.PROBABILITY: np.full((4, 2), 0.5)},
    "no classes": {Reading.PROBABILITY: np.ones(4)},
    "too few probabilities": {Reading.PROBABILITY: np.full((3, 3), 1 / 3)},
    "a map that is NaN": {Reading.SALIENCY: spoilt(Reading.SALIENCY, (2, 1, 1), np.nan)},
    "a map below zero": {Reading.SALIENCY: spoilt(Reading.SALIENCY, (2, 1, 1), -0.5)},
    "a map that is not normalised": {Reading.SALIENCY: spoilt(Reading.SALIENCY, (2, 1, 1), 7.0)},
    "too few maps": {Reading.SALIENCY: np.zeros((2, 2, 2))},
    "flat maps": {Reading.SALIENCY: np.zeros((4, 4))},
    "empty maps": {Reading.SALIENCY: np.zeros((4, 0, 2))},
}


@pytest.mark.parametrize("answers", BROKEN.values(), ids=BROKEN.keys())
def test_broken_answers_are_an_error_and_never_a_non_match(answers: dict[Reading, npt.NDArray[Any]]) -> None:
    whole = {place: Innocents(tuple([0.0] * 19), tuple(map(str, range(19)))) for place in range(3)}
    claim = small_claim().with_nulls(whole)
    with pytest.raises(AnswerError):
        verify(claim, sure(answers))
    with pytest.raises(AnswerError):
        calibrate(claim, [sure(answers)])


def test_a_reading_that_was_promised_but_not_given_is_an_error() -> None:
    class Forgetful(Fake):
        def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
            return {key: value for key, value in super().read(images, question).items() if key is not Reading.LABEL}

    with pytest.raises(AnswerError, match="label"):
        verify(small_claim(), Forgetful(sure().answers))


def test_probabilities_that_a_server_has_rounded_are_taken() -> None:
    rounded = np.round(sure().answers[Reading.PROBABILITY], 2)
    assert verify(small_claim(), sure({Reading.PROBABILITY: rounded})).others[0].score == 1


def test_logits_that_happen_to_sum_to_one_are_no_probabilities() -> None:
    logits = np.tile([3.0, -1.5, -0.5], (4, 1))
    with pytest.raises(AnswerError, match="are not probabilities"):
        verify(small_claim(), sure({Reading.PROBABILITY: logits}))


def test_calibrating_sets_the_null_of_each_test_and_nothing_else() -> None:
    claim = small_claim()
    less = np.where(sure().answers[Reading.PROBABILITY] == 0.9, 0.88, sure().answers[Reading.PROBABILITY] + 0.01)
    less[1::2] = 1 / 3
    innocents = [sure(), sure({Reading.LABEL: np.array([0, 0, 0, 0]), Reading.PROBABILITY: less})]
    innocents[0].digest, innocents[1].digest = "one", "two"
    found = calibrate(claim, innocents)
    assert found.tests[0].null == Innocents((1.0, 1.0), ("one", "two"))
    assert found.tests[2].null == Innocents((1.0, 0.5), ("one", "two"))
    assert found.calibrated
    assert not claim.calibrated
    undone = found.with_nulls(dict.fromkeys(range(3), Uncalibrated()))
    assert undone.digest == claim.digest
    assert Claim.from_bytes(found.to_bytes()).digest == found.digest != claim.digest


def test_a_test_that_not_every_innocent_answers_stays_uncalibrated() -> None:
    remote = Fake({Reading.LABEL: sure().answers[Reading.LABEL]}, "remote")
    found = calibrate(small_claim(), [sure(), remote])
    assert [isinstance(test.null, Innocents) for test in found.tests] == [False, False, True]


def test_models_that_are_not_innocent_or_not_others_cannot_calibrate() -> None:
    protected, helper, other = (Local(tiny(number), name=f"model {number}") for number in range(3))
    claim = small_claim(size=8, model=protected.digest, built_with=(helper.digest,))
    with pytest.raises(UsageError, match="model 0 is the protected model itself"):
        calibrate(claim, [other, protected])
    with pytest.raises(UsageError, match="model 1 helped to build"):
        calibrate(claim, [helper])
    twin = Local(tiny(2), name="the same weights under another name")
    with pytest.raises(UsageError, match="another name was already counted"):
        calibrate(claim, [other, twin])
    with pytest.raises(UsageError, match="at least one innocent"):
        calibrate(claim, [])
    assert calibrate(claim, [other]).tests[0].null.smallest == 0.5


def test_a_verdict_on_a_model_that_the_claim_knows_says_so() -> None:
    helper, innocent = Local(tiny(1), name="helper"), Local(tiny(2), name="innocent")
    claim = calibrate(small_claim(size=8, built_with=(helper.digest,)), [innocent])
    assert "its score was arranged, and says nothing" in " ".join(verify(claim, helper).notes)
    assert "calibrated this claim" in " ".join(verify(claim, innocent).notes)
    assert not verify(claim, Local(tiny(3), name="stranger")).notes


def test_a_verdict_has_no_truth_value_and_a_bare_module_or_the_name_of_a_claim_is_refused() -> None:
    verdict = verify(calibrated([0] * 19), scoring(0))
    with pytest.raises(UsageError, match="compare its outcome"):
        bool(verdict)
    for ask in (lambda: verify(labelled(), tiny()), lambda: calibrate(labelled(), [tiny()])):  # type: ignore[arg-type, list-item]
        with pytest.raises(UsageError, match=r"got ResNet18: wrap a module of torch in Local"):
            ask()
    for ask in (lambda: verify("my.claim", scoring(0)), lambda: calibrate("my.claim", [scoring(0)])):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match=r"expected a claim, got str: open its file with Claim.load"):
            ask()


def test_what_a_notebook_shows_of_a_claim_its_suspects_and_its_findings_is_short() -> None:
    claim = calibrated([0] * 19)
    shown = [claim, claim.tests[0], verify(claim, scoring(0)).deciding, Local(tiny(), name="mine")]
    assert all(len(repr(one)) < 600 for one in shown)
    assert repr(shown[-1]) == "Local('mine')"


def test_a_refused_innocent_was_never_asked() -> None:
    suspect = scoring(0)
    suspect.digest = labelled().model
    with pytest.raises(UsageError):
        calibrate(labelled(), [suspect])
    assert suspect.asked == []


def test_calibrating_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    calibrate(labelled(), [scoring(0, "a"), scoring(1, "b")], lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_no_outcome_says_that_a_model_is_stolen() -> None:
    outcomes = [verify(calibrated([hits] * 24), scoring(20 - hits)) for hits in range(21)]
    assert {verdict.outcome for verdict in outcomes} >= {Outcome.MATCH, Outcome.NO_MATCH}
    assert not any("stolen" in f"{verdict.outcome} {verdict.reason}".lower() for verdict in outcomes)
