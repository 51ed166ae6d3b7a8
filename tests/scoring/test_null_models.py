"""The arithmetic of p-values and intervals: formulas, known answers, and scipy as the stranger."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from ownmark.errors import ClaimError
from ownmark.scoring.null_models import NULLS, Innocents, KeyedLabels, Null, Uncalibrated, from_record, to_record
from ownmark.statistics.p_values import clopper_pearson, innocents_needed

EXAMPLES: tuple[Null, ...] = (Uncalibrated(), Innocents((0.5, 0.25), ("a", "b")), KeyedLabels("0f" * 32, 5, 10, 2))
scores = st.lists(st.integers(0, 8).map(lambda eighths: eighths / 8), min_size=1, max_size=25)


def innocents(found: list[float]) -> Innocents:
    return Innocents(tuple(found), tuple(f"model {place}" for place in range(len(found))))


def test_every_null_has_an_example_here() -> None:
    assert tuple(type(null) for null in EXAMPLES) == NULLS


@pytest.mark.parametrize("null", EXAMPLES, ids=repr)
def test_every_null_survives_its_record(null: Null) -> None:
    assert from_record(to_record(null)) == null


@pytest.mark.parametrize("record", [{}, {"name": "Chance"}, {"name": "Innocents"}, {"name": "Uncalibrated", "more": [1]}])
def test_a_null_that_this_version_does_not_know_is_an_error(record: dict[str, object]) -> None:
    with pytest.raises(ClaimError, match="knows"):
        from_record(record)


@given(st.floats(0, 1))
def test_without_innocents_every_score_has_p_one(score: float) -> None:
    assert Uncalibrated().p_value(score) == Uncalibrated().smallest == 1


@given(scores, st.integers(0, 8))
def test_p_is_one_plus_the_innocents_that_score_as_high_over_one_plus_all(found: list[float], eighths: int) -> None:
    as_high = len([other for other in found if other >= eighths / 8])
    assert innocents(found).p_value(eighths / 8) == float(Fraction(1 + as_high, 1 + len(found)))


def test_a_tie_counts_against_the_owner() -> None:
    null = innocents([0.5, 0.25, 0.0])
    assert null.p_value(0.5) == 2 / 4
    assert null.p_value(math.nextafter(0.5, 1)) == 1 / 4


@given(scores, st.floats(0, 1), st.floats(0, 1))
def test_p_never_falls_below_the_smallest_and_never_rises_with_the_score(found: list[float], one: float, other: float) -> None:
    null = innocents(found)
    low, high = sorted((one, other))
    assert null.smallest <= null.p_value(high) <= null.p_value(low) <= 1
    assert null.smallest == 1 / (len(found) + 1)


@given(scores.filter(lambda found: len(found) > 1), st.floats(0.001, 0.999))
def test_an_innocent_that_is_like_the_others_is_accused_with_probability_alpha_at_most(found: list[float], alpha: float) -> None:
    """Exact: of exchangeable models each is equally likely to be the suspect, so the share accused is the probability."""
    accused = [innocents(found[:place] + found[place + 1 :]).p_value(suspect) <= alpha for place, suspect in enumerate(found)]
    assert sum(accused) / len(found) <= alpha


@pytest.mark.parametrize("count", range(1, 31))
def test_intervals_are_those_of_clopper_and_pearson(count: int) -> None:
    for successes in range(count + 1):
        for confidence in (0.9, 0.95, 0.99):
            wanted = binomtest(successes, count).proportion_ci(confidence, method="exact")
            assert clopper_pearson(successes, count, confidence) == pytest.approx(tuple(wanted), abs=1e-9)


def test_37_of_50_is_the_known_interval() -> None:
    assert clopper_pearson(37, 50) == pytest.approx((0.597, 0.854), abs=5e-4)


@pytest.mark.parametrize("truth", [0.02, 0.3, 0.5, 0.9])
def test_an_interval_holds_the_truth_at_least_as_often_as_it_says(truth: float) -> None:
    count = 25
    intervals = [clopper_pearson(successes, count) for successes in range(count + 1)]
    covered = sum(binom.pmf(successes, count, truth) for successes, (low, high) in enumerate(intervals) if low <= truth <= high)
    assert covered >= 0.95


@given(st.one_of(st.floats(0, 1, exclude_min=True, exclude_max=True), st.integers(1, 10**6).map(lambda count: 1 / (count + 1))))
def test_the_innocents_needed_are_enough_and_one_fewer_is_not(alpha: float) -> None:
    count = innocents_needed(alpha)
    assert 1 / (count + 1) <= alpha
    assert count == 1 or alpha < 1e-7 or 1 / count > alpha
