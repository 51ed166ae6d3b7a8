"""The judge's statistics keep their levels, and give what a stranger's library or a known case gives."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ownmark.errors import UsageError
from ownmark.statistics import multiplicity, p_values, sequential

chances = st.floats(0.01, 0.99)
shares = st.lists(st.floats(1e-9, 1), min_size=1, max_size=12)


@given(st.integers(1, 200), chances, st.data())
def test_the_tail_of_the_binomial_is_scipys(count: int, chance: float, data: st.DataObject) -> None:
    matched = data.draw(st.integers(0, count))
    expected = stats.binomtest(matched, count, chance, alternative="greater").pvalue
    assert p_values.binomial_tail(matched, count, chance) == pytest.approx(expected, rel=1e-8, abs=1e-280)


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_fishers_test_is_scipys(first: int, other: int, second: int, rest: int) -> None:
    ours = p_values.fisher((first, first + other), (second, second + rest))
    expected = stats.fisher_exact([[first, other], [second, rest]], alternative="greater").pvalue
    assert ours == pytest.approx(expected, rel=1e-7)


def test_a_rank_counts_ties_against_the_owner() -> None:
    assert p_values.rank_p(0.5, (0.1, 0.5, 0.7)) == 3 / 4
    assert p_values.rank_p(0.8, (0.1, 0.5, 0.7)) == 1 / 4
    assert p_values.rank_p(1.0, ()) == 1
    assert p_values.rank_p(float("nan"), (0.1, 0.5, 0.7)) == 1
    assert p_values.rank_p(0.8, (0.1, float("nan"), 0.7)) == 2 / 4


def test_the_bound_of_berger_and_boos_keeps_its_level_where_the_suspect_is_as_bad_as_the_worst_reference() -> None:
    rng = np.random.default_rng(0)
    draws = rng.binomial(60, 0.2, (2000, 6))
    p = np.array([p_values.berger_boos(int(row[0]), 60, [int(one) for one in row[1:]]) for row in draws])
    for alpha in (0.01, 0.05, 0.2):
        assert (p <= alpha).mean() <= alpha
    assert p.min() > p_values.GAMMA


def test_the_bound_of_berger_and_boos_is_the_formula() -> None:
    upper = max(stats.beta.ppf(1 - 1e-3 / 2, k + 1, 50 - k) for k in (3, 7))
    assert p_values.berger_boos(40, 50, [3, 7]) == pytest.approx(1e-3 + stats.binom.sf(39, 50, upper))
    assert p_values.berger_boos(50, 50, [50]) == 1
    with pytest.raises(UsageError, match="at least one reference"):
        p_values.berger_boos(3, 5, [])


def test_the_sequential_p_value_holds_at_any_stopping_time() -> None:
    """The share of innocents whose ratio ever crosses 1 / alpha is at most alpha."""
    rng = np.random.default_rng(1)
    runs = [sequential.wald(rng.random(300) < 0.15, 0.15, 0.5, 0.05) for _ in range(4000)]
    assert 0.005 < np.mean([run.log_p <= math.log(0.05) for run in runs]) <= 0.05
    assert np.mean([run.matched for run in runs]) <= 0.05


def test_the_sequential_test_is_the_product_of_the_ratios_and_stops_where_it_is_decided() -> None:
    matches = np.array([True, False, True, True, True, True])
    ratios = np.cumprod(np.where(matches, 0.5 / 0.1, 0.5 / 0.9))
    found = sequential.wald(matches, 0.1, 0.5, 0.05)
    assert math.exp(found.log_p) == pytest.approx(1 / ratios.max())
    assert (found.stopped, found.matched) == (int(np.argmax(ratios >= 20)) + 1, True)
    missed = sequential.wald(np.zeros(50, dtype=bool), 0.1, 0.5, 0.05)
    assert (missed.log_p, missed.matched) == (0.0, False)
    assert 0 < missed.stopped < 20
    assert sequential.wald(np.array([True]), 0.1, 0.5, 0.05).stopped == 0
    with pytest.raises(UsageError, match="chance < survival"):
        sequential.wald(matches, 0.5, 0.5, 0.05)


def test_a_real_mark_is_found_with_about_28_triggers_at_one_in_a_million() -> None:
    rng = np.random.default_rng(2)
    stops = [sequential.wald(rng.random(400) < 0.6, 0.15, 0.5, 1e-6).stopped for _ in range(500)]
    assert 25 <= np.mean(stops) <= 31


@given(shares)
def test_holm_is_the_step_down_of_the_textbook(values: list[float]) -> None:
    adjusted = multiplicity.holm(values)
    ordered = sorted(range(len(values)), key=lambda index: values[index])
    for place, index in enumerate(ordered):
        earlier = [(len(values) - one) * values[ordered[one]] for one in range(place + 1)]
        assert adjusted[index] == pytest.approx(min(1.0, max(earlier)))


@given(shares)
def test_benjamini_and_hochberg_lie_between_the_raw_values_and_holms(values: list[float]) -> None:
    adjusted = multiplicity.benjamini_hochberg(values, 0.05)
    for raw, ours, strict in zip(values, adjusted, multiplicity.holm(values), strict=True):
        assert raw - 1e-12 <= ours <= strict + 1e-12


def test_a_scan_that_its_references_cannot_carry_is_refused_and_says_how_many_are_needed() -> None:
    with pytest.raises(UsageError, match="calibrate on 999"):
        multiplicity.benjamini_hochberg([0.05] * 50, 0.05, references=19)
    assert multiplicity.benjamini_hochberg([0.001] * 50, 0.05, references=999) == (0.001,) * 50


RATES = (
    0.001,
    0.005,
    0.01,
    0.02,
    0.025,
    0.03,
    0.04,
    0.05,
    0.06,
    0.07,
    0.08,
    0.09,
    0.1,
    0.12,
    0.15,
    0.2,
    0.25,
    0.3,
    0.35,
    0.4,
    0.5,
)


@pytest.mark.parametrize("rate", RATES)
def test_the_number_of_references_that_is_advised_is_the_least_that_will_do(rate: float) -> None:
    """Of 2,100 pairs of suspects and rates the advice was wrong in 109: one too few, or one too many."""
    for suspects in range(1, 101):
        with pytest.raises(UsageError) as caught:
            multiplicity.check_references(0, suspects, rate)
        found = re.search(r"calibrate on (\d+)", str(caught.value))
        assert found is not None
        advised = int(found[1])
        multiplicity.check_references(advised, suspects, rate)
        if advised > 1:
            with pytest.raises(UsageError):
                multiplicity.check_references(advised - 1, suspects, rate)


def test_required_tests_must_all_reject() -> None:
    assert multiplicity.intersection_union((1e-9, 0.2)) == 0.2


@given(st.integers(1, 100), st.floats(0.5, 0.99), st.data())
def test_the_smallest_mark_is_found_with_just_the_power_that_was_asked_for(count: int, power: float, data: st.DataObject) -> None:
    needed = data.draw(st.integers(1, count))
    rate = p_values.smallest_mark(count, needed, power)
    assert p_values.binomial_tail(needed, count, rate) == pytest.approx(power, rel=1e-6)


def test_a_mark_that_nothing_could_show_is_said_to_be_above_one() -> None:
    assert p_values.smallest_mark(5, 6) > 1
    assert p_values.smallest_mark(5, 0) == 0
