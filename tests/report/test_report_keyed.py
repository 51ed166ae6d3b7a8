"""The page on a watermark of keyed labels: exact figures, words that a layperson can read, and never the key."""

import re
from dataclasses import replace

import numpy as np
import pytest
from conftest import Fake
from hypothesis import given
from hypothesis import strategies as st
from report_cases import marked, noise_images, read, words

from ownmark.claims.claim import Claim, Test
from ownmark.cli import render, render_judge
from ownmark.report import drawing
from ownmark.report import words as report_words
from ownmark.report.page import page
from ownmark.report.words import figures
from ownmark.scoring.matches import Agreement, RaisedOther, RankedGroup, RankedOther
from ownmark.scoring.null_models import Innocents, KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.statistics.sequential import Early
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify

KEY = "0123456789abcdef" * 4
CLASSES = tuple(f"class {number}" for number in range(10))


def keyed(triggers: int = 100, sets: int = 1) -> Claim:
    """A claim of keyed labels in ten classes, of one view."""
    null = KeyedLabels(KEY, triggers, 10, sets)
    test = Test(Reading.LABEL, Agreement(), null.labels(), 0.99, null=null)
    return Claim(noise_images(null.count, 8, 8, 3)[:, None], (test,), CLASSES, "Keyed()", "ab" * 32)


def answers(claim: Claim, hits: int) -> Fake:
    """A suspect that gives the first `hits` expected labels, and others after."""
    expected = claim.tests[0].expected
    return Fake({Reading.LABEL: np.where(np.arange(len(expected)) < hits, expected, (expected + 1) % 10)}, "suspect")


def judged(claim: Claim, hits: int, alpha: float = 1e-6) -> Verdict:
    return verify(claim, answers(claim, hits), alpha=alpha)


@pytest.fixture(scope="module")
def claim() -> Claim:
    return keyed()


def test_a_match_is_told_with_both_logarithms_and_a_rate_that_can_be_read(claim: Claim) -> None:
    html = page(claim, [judged(claim, 100)])
    text = words(html)
    assert "On 100 of 100 trigger images this model gave the expected label." in text
    assert "by chance alone a model matches about 10 of them" in text
    assert "would score this high at most 1 time in 10^80 (a one with 80 zeros)" in text
    assert "even if the claimant had tried 2^64 keys and kept the luckiest" in text
    assert "log10 p = -100.0, or -80.7 with the allowance for 2^64 tried keys" in text


@pytest.mark.parametrize(("hits", "outcome"), [(100, Outcome.MATCH), (12, Outcome.NO_MATCH)])
def test_no_page_on_a_keyed_claim_asks_for_innocent_models_or_shows_a_long_number(
    claim: Claim, hits: int, outcome: Outcome
) -> None:
    verdict = judged(claim, hits)
    html = page(claim, [verdict])
    assert verdict.outcome is outcome
    text = words(html)
    assert "was not measured" not in text
    assert "not calibrated" not in text
    assert "those innocent ones" not in text
    assert "none were asked" not in text
    assert "What the models were shown, and what they answered" in text
    assert not re.search(r"\d{25}", text.replace(claim.digest, "").replace(claim.model, ""))


def test_a_claim_of_too_few_triggers_is_told_as_deciding_nothing() -> None:
    small = keyed(10)
    verdict = judged(small, 10)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    text = words(page(small, [verdict]))
    assert "That cannot support a verdict (log10 p = -10.0, or 0.0 with" in text
    assert "No score would match at alpha = 1e-06." in text


def test_the_limits_say_what_an_exact_p_rests_on_and_where_it_ends(claim: Claim) -> None:
    text = words(page(claim, [judged(claim, 100)]))
    assert "remaking the images from the key" in text
    assert "only a seal with a timestamp" in text
    assert "p is multiplied by 2^64" in text
    assert "adds 19.3 to log10 p" in text
    assert "With 100 triggers in 10 classes, log10 p can never fall below -80.7" in text


def test_a_page_and_a_record_never_show_the_key(claim: Claim) -> None:
    verdict = judged(claim, 100)
    told = str(render_judge.of_verdict(verdict)) + str(render.test_rows(claim))
    assert KEY not in page(claim, [verdict, judged(claim, 10)]) + told


def test_the_gallery_shows_trigger_expected_label_and_answer(claim: Claim) -> None:
    elements = read(page(claim, [judged(claim, 50)]))
    titles = [" ".join(element.text.split()) for element in elements if element.tag == "h3" and "Sample" in element.text]
    first, last = (claim.classes[int(claim.tests[0].expected[row])] for row in (0, 99))
    assert titles[0] == f"Sample 1 expected label: {first}"
    assert titles[-1] == f"Sample 100 expected label: {last}"
    assert {element.text for element in marked(elements, "narrow")} == {"trigger", "answers of the suspect"}
    lines = [" ".join(element.text.split()) for element in marked(elements, "line")]
    assert lines[0] == f"● {first}, match"
    assert lines[-1] == f"○ {claim.classes[int(claim.tests[0].expected[99] + 1) % 10]}, no match"


def test_the_picture_sets_the_suspect_against_luck(claim: Claim) -> None:
    verdict = judged(claim, 100)
    drawn = drawing.strip(
        verdict.deciding, figures(verdict.deciding), verdict.outcome, verdict.deciding.test.null.threshold(verdict.alpha)
    )
    (luck,) = marked(read(drawn), "innocent")
    assert float(luck.attributes["cx"].rstrip("%")) == 10
    assert "By chance alone: about 10 of 100." in drawn
    assert len(marked(read(drawn), "region")) == 1


@given(st.integers(1, 120), st.floats(1e-30, 0.5))
def test_the_tinted_scores_of_a_keyed_claim_are_exactly_those_whose_p_is_small_enough(triggers: int, alpha: float) -> None:
    null = KeyedLabels(KEY, triggers, 10, 1)
    least = null.threshold(alpha)
    for score in (hits / triggers for hits in range(triggers + 1)):
        assert (null.p_value(score) <= alpha) == (least is not None and score > least)


@given(st.floats(-400, 0))
def test_a_rate_in_words_is_never_smaller_than_its_logarithm(log10_p: float) -> None:
    said = report_words.times(log10_p)
    power = re.fullmatch(r"at most 1 time in 10\^(\d+) \(a one with \1 zeros\)", said)
    if power:
        assert -int(power[1]) >= log10_p - 1e-6
        return
    count, _, total = re.sub(r"at most |times? in ", "", said).partition(" ")
    assert float(count) / float(total) >= 10**log10_p * (1 - 1e-6)


def test_a_p_that_no_float_can_hold_is_told_as_a_power_of_ten() -> None:
    large = keyed(400)
    verdict = judged(large, 400)
    assert report_words.p_figure(verdict.deciding) == "10^-380.7"
    assert report_words.smallest_figure(verdict.deciding) == "10^-380.7"
    assert "p = 10^-380.7" in "; ".join(render.test_rows(large)["label test"]).replace("smallest p", "p =")
    assert "10^-380.7" in words(page(large, [verdict, judged(large, 40)]))


def test_several_suspects_are_compared_with_luck(claim: Claim) -> None:
    text = words(page(claim, [judged(claim, 100), judged(claim, 10)]))
    assert "of the trigger images" in text
    assert "the share that chance alone gives (stroke)" in text


def test_a_record_of_a_keyed_verdict_has_both_logarithms(claim: Claim) -> None:
    record = render_judge.of_verdict(judged(claim, 100))["deciding"]
    assert record["log10_p"] == pytest.approx(-100)
    assert record["log10_p_adjusted"] == pytest.approx(-80.734, abs=0.001)


def test_a_watermark_that_innocents_calibrate_is_told_by_them(claim: Claim) -> None:
    scores = tuple(number / 100 for number in range(19))
    ranked = claim.with_nulls({0: Innocents(scores, tuple(map(str, scores)))})
    text = words(page(ranked, [judged(ranked, 100, 0.05)]))
    assert "On 100 of 100 trigger images" in text
    assert "None of 19 innocent models did so on more than 18." in text
    assert "log10" not in text
    assert "Watermark verification" in words(page(replace(ranked, classes=CLASSES), [judged(ranked, 3)]))


def test_a_page_says_that_a_key_which_is_bound_to_nothing_could_have_been_drawn_first() -> None:
    null = keyed().tests[0].null
    assert isinstance(null, KeyedLabels)
    assert report_words.UNBOUND in report_words.shared_limits(keyed(), 0.05, 1)
    bound = replace(null, context="ab" * 32)
    one = replace(keyed(), tests=(replace(keyed().tests[0], null=bound, expected=bound.labels()),))
    assert report_words.UNBOUND not in report_words.shared_limits(one, 0.05, 1)


def test_a_label_that_counts_the_other_classes_is_told_as_a_number_and_what_the_suspect_named_by_its_class() -> None:
    null = KeyedLabels(KEY, 60, 9, 1)
    test = Test(Reading.PROBABILITY, RaisedOther(), null.labels(), 0.99, null=null)
    claim = Claim(noise_images(60, 8, 8, 3)[:, None], (test,), CLASSES, "Keyed()", "ab" * 32)
    suspect = Fake({Reading.PROBABILITY: 0.6 * np.eye(10)[[0] * 60] + 0.4 * np.eye(10)[null.labels() + 1]}, "suspect")
    verdict, first = verify(claim, suspect), null.labels()[0]
    text = words(page(claim, [verdict]))
    assert (verdict.outcome, verdict.deciding.score) == (Outcome.MATCH, 1)
    assert f"expected label: number {first + 1} of the classes that it does not find most likely" in text
    assert f"then class {first + 1}, expected class {first + 1}" in text
    assert "by chance alone a model matches about 6.7 of them" in text


def ranked(triggers: int = 60) -> Claim:
    null = KeyedLabels(KEY, triggers, 9, 1, counts="ranks")
    test = Test(Reading.PROBABILITY, RankedOther(), null.labels(), 0.9, null=null)
    return Claim(noise_images(triggers, 8, 8, 3)[:, None], (test,), CLASSES, "Keyed()", "ab" * 32)


def test_a_score_of_ranks_is_told_beside_that_of_chance_and_never_as_a_number_of_triggers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    claim, flat = ranked(), Fake({Reading.PROBABILITY: np.full((60, 10), 0.1)}, "flat")
    assert (
        "protected model 90\N{NO-BREAK SPACE}%, chance alone 50\N{NO-BREAK SPACE}%"
        in render.test_rows(claim)["black-box test"][1]
    )
    render_judge.tell_verdict(verify(claim, flat))
    assert "chance alone 50 %" in " ".join(capsys.readouterr().out.split())
    assert render.survived(claim.tests[0]) == "90\N{NO-BREAK SPACE}%, chance alone 50\N{NO-BREAK SPACE}%"
    assert render.survived(keyed().tests[0]) == "99\N{NO-BREAK SPACE}%: 99 of 100 triggers"


@pytest.mark.parametrize("claim", [keyed(30), ranked(30)], ids=["hits", "ranks"])
def test_a_test_that_may_stop_tells_no_logarithm_of_another_p_even_if_it_asked_about_all(
    claim: Claim, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = Fake({Reading.LABEL: np.zeros(1, dtype=np.int64), Reading.PROBABILITY: np.full((1, 10), 0.1)}, "flat")
    verdict = verify(claim, flat, early=Early(miss=1e-12))
    assert verdict.queries == 30
    assert "log10_p" not in render_judge.of_verdict(verdict)["deciding"]
    render_judge.tell_verdict(verdict)
    said = " ".join(capsys.readouterr().out.split())
    assert "log10" not in said
    assert f"of which {int(verdict.deciding.matches.sum())} match" in said


def test_ranks_are_told_as_a_score_beside_that_of_chance_and_the_label_as_a_number() -> None:
    null = KeyedLabels(KEY, 60, 9, 1, counts="ranks")
    test = Test(Reading.PROBABILITY, RankedOther(), null.labels(), 1.0, null=null)
    claim = Claim(noise_images(60, 8, 8, 3)[:, None], (test,), CLASSES, "Keyed()", "ab" * 32)
    labels = np.where(np.arange(60) < 40, null.labels(), (null.labels() + 1) % 9)  # a third of them lost the first place
    shares = 0.6 * np.eye(10)[[0] * 60] + 0.3 * np.eye(10)[labels + 1] + 0.1 * np.eye(10)[null.labels() + 1]
    verdict, first = verify(claim, Fake({Reading.PROBABILITY: shares}, "suspect")), null.labels()[0]
    text = words(page(claim, [verdict]))
    assert verdict.outcome is Outcome.MATCH
    assert 40 / 60 < verdict.deciding.score < 1
    assert f"with a score of {verdict.deciding.score:.2f} out of 1" in text
    assert "by chance alone a model scores about 0.50" in text
    assert "How far a model raised the expected class above other less likely ones" in text
    assert f"expected label: number {first + 1} of the classes that it does not find most likely" in text
    assert "raised above 100\N{NO-BREAK SPACE}% of the others" in page(claim, [verdict])
    assert "match: raised above all others" in text
    alone = verify(claim, Fake({Reading.PROBABILITY: np.full((60, 10), 0.1)}, "flat"))
    assert "In each picture, from a score of 0 to 1:" in words(page(claim, [verdict, alone]))
    assert alone.outcome is Outcome.NO_MATCH
    assert alone.deciding.p == 1


def test_a_page_shows_what_is_asked_beside_a_trigger_and_asks_about_all_of_it() -> None:
    null = KeyedLabels.read_by(RankedGroup(), 10, KEY, 60, 1)
    test = Test(Reading.PROBABILITY, RankedGroup(), null.labels(), 0.9, null=null)
    claim = Claim(noise_images(180, 8, 8, 3).reshape(60, 3, 8, 8, 3), (test,), CLASSES, "Keyed()", "ab" * 32)
    faint, telling = np.full((60, 10), 0.01), 0.91 * np.eye(10)[[0] * 60] + 0.09 * np.eye(10)[null.labels() + 1]
    shares = np.stack([0.9 * np.eye(10)[[0] * 60] + faint, telling, telling], axis=1).reshape(180, 10)
    verdict = verify(claim, Fake({Reading.PROBABILITY: shares}, "student"))
    assert (verdict.outcome, verdict.deciding.score, verdict.queries) == (Outcome.MATCH, 1, 180)
    text = words(page(claim, [verdict]))
    assert "asked beside it" in text
    assert "covered" not in text
