"""Keyed labels as a null: exact binomial tails, the factor for tries, and innocents that are not accused."""

import math
import re
from dataclasses import replace
from fractions import Fraction
from itertools import count as counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from ownmark import keys
from ownmark.errors import ClaimError, UsageError
from ownmark.scoring.matches import Agreement, Drop
from ownmark.scoring.null_models import KeyedLabels, from_record, to_record

KEY = "0123456789abcdef" * 4
nulls = st.builds(
    KeyedLabels,
    st.just(KEY),
    st.integers(1, 60),
    st.integers(2, 1000),
    sets=st.integers(0, 3),
    grinding=st.integers(0, 256),
    counts=st.sampled_from(["hits", "ranks", "ranks, twice"]),
)


def keyed(count: int, classes: int, grinding: int = 64) -> KeyedLabels:
    return KeyedLabels(KEY, count, classes, 0, grinding)


def tail(count: int, classes: int, matches: int) -> Fraction:
    """P[Bin(count, 1 / classes) >= matches], with nothing rounded."""
    ways = (math.comb(count, number) * (classes - 1) ** (count - number) for number in range(matches, count + 1))
    return Fraction(sum(ways), classes**count)


@pytest.mark.parametrize(
    ("bar", "fewest"),
    [
        (1e-3, "66 123 10 14 21 35 4 5 6 2 3 3"),
        (1e-6, "74 134 14 18 28 44 6 7 9 4 4 5"),
        (2.0**-64, "93 163 25 32 46 68 14 16 20 9 10 12"),
        (2.0**-80, "97 170 28 36 51 75 17 19 24 11 12 14"),
    ],
)
def test_the_fewest_matches_that_reach_a_bar_are_the_known_ones(bar: float, fewest: str) -> None:
    settings = [(100, 2), (200, 2), *((count, 10) for count in (30, 50, 100, 200))]
    settings += [(count, classes) for classes in (100, 1000) for count in (30, 50, 100)]
    for (count, classes), wanted in zip(settings, fewest.split(), strict=True):
        null = keyed(count, classes, grinding=0)
        assert next(number for number in counter() if null.p_value(number / count) <= bar) == int(wanted)


def test_a_model_that_always_says_class_3_has_the_known_p() -> None:
    assert keyed(50, 10, grinding=0).p_value(14 / 50) == pytest.approx(2.85e-4, rel=2e-3)
    assert keyed(50, 10).p_value(14 / 50) == 1


@given(st.integers(1, 300), st.integers(2, 50), st.data())
def test_p_is_the_binomial_tail_with_nothing_lost(count: int, classes: int, data: st.DataObject) -> None:
    matches = data.draw(st.integers(0, count))
    exact = tail(count, classes, matches)
    log10 = math.log10(exact.numerator) - math.log10(exact.denominator)
    null = keyed(count, classes)
    assert null.log10_p(matches / count) == pytest.approx(log10, rel=1e-11, abs=1e-11)
    assert null.log10_p_adjusted(matches / count) == pytest.approx(min(log10 + 64 * math.log10(2), 0), rel=1e-10, abs=1e-10)
    assert null.p_value(matches / count) == pytest.approx(max(min(2**64 * exact, 1), 2.3e-308), rel=1e-8)


@given(st.integers(1, 200), st.integers(2, 60), st.data())
def test_p_of_ranks_is_the_share_of_all_ways_to_draw_them(count: int, classes: int, data: st.DataObject) -> None:
    most = count * (classes - 1)
    points = data.draw(st.integers(0, most))
    left = most - points  # as many ways to lack at most that much, by inclusion and exclusion
    parts = range(min(count, left // classes) + 1)
    ways = sum((-1) ** part * math.comb(count, part) * math.comb(left - part * classes + count, count) for part in parts)
    null = replace(keyed(count, classes), counts="ranks")
    assert (null.most, null.luck) == (most, 0.5)
    assert null.log10_p(points / most) == pytest.approx(math.log10(ways) - count * math.log10(classes), rel=1e-11, abs=1e-11)
    assert null.log10_p(1) == pytest.approx(keyed(count, classes).log10_p(1)), "with all triggers p is that of hits"
    twice = replace(null, counts="ranks, twice")
    assert (twice.most, twice.luck) == (most, 0.5)
    assert twice.log10_p(points / most) == pytest.approx(min(null.log10_p(points / most) + math.log10(2), 0), abs=1e-11)


def test_ranks_of_many_classes_and_triggers_take_no_time_and_have_a_threshold() -> None:
    null = replace(keyed(2000, 1000), counts="ranks")
    least = null.threshold(1e-6)
    assert least is not None
    assert null.p_value(least) > 1e-6 >= null.p_value(least + 1 / null.most)
    assert 0.5 < least < 0.6


@pytest.mark.parametrize("matches", range(31))
def test_p_is_that_of_scipys_binomial_test(matches: int) -> None:
    wanted = binomtest(matches, 30, 0.1, alternative="greater").pvalue
    assert keyed(30, 10, grinding=0).p_value(matches / 30) == pytest.approx(wanted, rel=1e-11)


def test_no_tail_is_too_deep_and_no_p_is_zero() -> None:
    null = keyed(1000, 100)
    assert null.log10_p(1) == pytest.approx(-2000)
    assert null.log10_p_adjusted(1) == pytest.approx(-2000 + 64 * math.log10(2))
    assert 0 < null.smallest < 1e-300


@given(nulls, st.floats(0, 1), st.floats(0, 1))
def test_p_lies_in_0_to_1_and_never_rises_with_the_score(null: KeyedLabels, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 < null.smallest <= null.p_value(high) <= null.p_value(low) <= 1
    assert null.log10_p(high) <= null.log10_p_adjusted(high) <= 0
    assert null.p_value(0) == 1


@given(nulls, st.floats(0, 1))
def test_every_bit_of_grinding_doubles_p_up_to_1(null: KeyedLabels, score: float) -> None:
    before = replace(null, grinding=0)
    assert null.log10_p(score) == before.log10_p(score)
    assert null.p_value(score) == pytest.approx(min(1, before.p_value(score) * 2.0**null.grinding), rel=1e-8)


@given(nulls)
def test_the_labels_are_those_of_each_sets_own_key_in_order(null: KeyedLabels) -> None:
    key = bytes.fromhex(KEY)
    owners = [keys.set_key(key, number) for number in range(null.sets)] if null.sets else [key]
    wanted = [label for owner in owners for label in keys.labels(owner, null.triggers, null.classes).tolist()]
    assert null.labels().tolist() == wanted
    assert null.count == len(wanted)
    assert null.labels().dtype == np.int64


@given(nulls)
def test_a_keyed_null_survives_its_record_and_shows_its_key_only_there(null: KeyedLabels) -> None:
    assert from_record(to_record(null)) == null
    assert to_record(null)["key"] == KEY
    assert ("counts" in to_record(null)) == (null.counts != "hits"), "older files have no such field"
    assert KEY not in f"{null!r} {null}"


@given(st.sampled_from([2, 10, 1000]), st.integers(0, 256), st.floats(1e-12, 0.5))
def test_the_advice_names_the_fewest_triggers_with_which_p_can_reach_alpha(classes: int, grinding: int, alpha: float) -> None:
    needed = int(keyed(1, classes, grinding).advice(alpha).split("At least ")[1].split()[0])
    assert keyed(needed, classes, grinding).smallest <= alpha
    assert needed == 1 or keyed(needed - 1, classes, grinding).smallest > alpha


def test_the_advice_for_an_alpha_beyond_the_smallest_double_comes_to_an_end() -> None:
    found = re.match(r"At least (\d+) keyed triggers", keyed(5, 2).advice(5e-324))
    assert found
    assert int(found[1]) in {1086, 1087}  # 2^(64 - 1086) is the smallest normal double, but for a rounding


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": ""},
        {"key": KEY[:-1]},
        {"key": KEY + "\n"},
        {"key": KEY.upper()},
        {"key": bytes(64)},
        *({name: value} for name in ("triggers", "classes", "sets", "grinding") for value in (-1, 1.0, True, "5", None, 2**32)),
        {"triggers": 0},
        {"classes": 1},
        {"grinding": 257},
        {"counts": "points"},
        {"counts": 1},
    ],
)
def test_a_keyed_null_that_makes_no_sense_cannot_be_made(wrong: dict[str, object]) -> None:
    fields = {"key": KEY, "triggers": 5, "classes": 10, "sets": 2, "grinding": 64}
    with pytest.raises(ClaimError) as raised:
        from_record({"name": "KeyedLabels", **fields, **wrong})
    assert KEY not in str(raised.value)


def test_expected_labels_that_the_key_does_not_give_are_named() -> None:
    null = KeyedLabels(KEY, 5, 10, 2)
    null.check(Agreement(), null.labels(), 10)
    for place in range(10):
        changed = (null.labels() + (np.arange(10) == place)) % 10
        with pytest.raises(ClaimError, match=rf"label of trigger {place} does not come from the key \(1 of 10"):
            null.check(Agreement(), changed, 10)
    for expected, classes in ((null.labels(), 11), (null.labels()[:9], 10), (np.tile(null.labels(), 2), 10)):
        with pytest.raises(ClaimError, match="the key gives 10 labels of 10 classes, but"):
            null.check(Agreement(), expected, classes)


def test_a_null_that_promises_more_labels_than_there_are_images_is_refused_at_once() -> None:
    with pytest.raises(ClaimError, match="the key gives"):
        KeyedLabels(KEY, 2**32 - 1, 10, 2**32 - 1).check(Agreement(), np.zeros(3, dtype=np.int64), 10)


def test_a_match_that_anybody_can_reach_has_no_keyed_null() -> None:
    """A drop of at least 0 happens on every image or so, whatever the label: 1 / classes is not its chance."""
    null = KeyedLabels(KEY, 5, 10, 1)
    with pytest.raises(ClaimError, match=r"must be judged by Agreement.*, got Drop"):
        null.check(Drop(0.0), null.labels(), 10)


def test_one_set_alone_has_its_own_key_and_binomial() -> None:
    null = KeyedLabels(KEY, 30, 10, 3, grinding=70)
    for number in range(3):
        alone = null.alone(number)
        assert alone == KeyedLabels(keys.set_key(bytes.fromhex(KEY), number).hex(), 30, 10, 0, 70)
        assert alone.labels().tolist() == null.labels()[30 * number : 30 * (number + 1)].tolist()
        assert 10 ** alone.log10_p(0.5) == pytest.approx(float(tail(30, 10, 15)))
    for wrong in (-1, 3):
        with pytest.raises(UsageError, match=f"no set {wrong}"):
            null.alone(wrong)


def answers(kind: str, rng: np.random.Generator, count: int) -> npt.NDArray[np.int64]:
    """What innocent models of ten classes say to `count` triggers."""
    skewed = np.array([0.55, 0.2, 0.1, 0.05, 0.05, 0.01, 0.01, 0.01, 0.01, 0.01])
    chances = {"constant": np.eye(10)[3], "skewed": skewed, "uniform": np.full(10, 0.1)}[kind]
    return rng.choice(10, count, p=chances)


@pytest.mark.parametrize("kind", ["constant", "skewed", "uniform"])
def test_of_2000_random_keys_no_more_accuse_an_innocent_model_than_is_promised(kind: str) -> None:
    """Its recorded answers stay; the keys change. The share of p <= 0.05 is the binomial's own size, which is below 0.05."""
    rng = np.random.default_rng(0)
    recorded = answers(kind, rng, 50)
    found = [KeyedLabels(rng.bytes(32).hex(), 50, 10, 0) for _ in range(2000)]
    scores = [float(np.mean(null.labels() == recorded)) for null in found]
    accused = sum(null.log10_p(score) <= math.log10(0.05) for null, score in zip(found, scores, strict=True))
    size = max(float(tail(50, 10, matches)) for matches in range(51) if tail(50, 10, matches) <= Fraction(5, 100))
    assert binom.ppf(0.005, 2000, size) <= accused <= binom.ppf(0.995, 2000, size) <= binom.ppf(0.995, 2000, 0.05)
    assert not any(null.p_value(score) <= 0.05 for null, score in zip(found, scores, strict=True))
