"""A match says yes or no of each sample; the answers here were worked out by hand or by a slower way."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownmark.errors import ClaimError
from ownmark.scoring.matches import (
    MATCHES,
    Agreement,
    BestMapped,
    BestOf,
    Change,
    CrossedResidual,
    Drop,
    Fall,
    Match,
    Near,
    OnPattern,
    OnPatternAgainst,
    RaisedOther,
    RankedGroup,
    RankedOther,
    RelativeRunnerUp,
    RunnerUp,
    Score,
    Shift,
    Swing,
    Turn,
    Within,
    from_record,
    to_record,
)
from ownmark.scoring.readings import Reading

EXAMPLES: tuple[Match, ...] = (
    *(Agreement(), RunnerUp(), RelativeRunnerUp(), RaisedOther(), RankedOther(), Drop(0.25), Change(0.25), Turn(0.25)),
    RankedGroup(),
    *(OnPattern(0.5, ((0, 0), (0, 1)), (2, 2)), OnPatternAgainst(0.25, ((0, 0),), (2, 2))),
    *(Fall(1.0), Shift(0.05, Reading.SIMILARITY), Swing(1.0), Within(2.0), Near(0.9), CrossedResidual(0.2, 0.05)),
    *(BestOf(Reading.SALIENCY, (0, 1)), BestMapped(Reading.SALIENCY, (0, 2), ((0.5, 0.0625), None))),
)
EXPECTED = np.array([0, 1, 1])


def two_views(first: list[list[float]], second: list[list[float]]) -> npt.NDArray[np.float64]:
    return np.stack([np.array(first), np.array(second)], axis=1)


def test_every_match_has_an_example_here() -> None:
    assert {type(match) for match in EXAMPLES} == set(MATCHES)


@pytest.mark.parametrize("match", EXAMPLES, ids=repr)
def test_every_match_survives_its_record(match: Match) -> None:
    assert from_record(to_record(match)) == match


@pytest.mark.parametrize("match", EXAMPLES, ids=repr)
def test_every_match_says_in_words_what_a_matching_sample_did(match: Match) -> None:
    assert len(match.meaning.split()) > 3
    assert match.meaning[0].islower()


@pytest.mark.parametrize("record", [{}, {"name": "Theft"}, {"name": "Drop"}, {"name": "Drop", "threshold": 0.1, "more": 1}])
def test_a_match_that_this_version_does_not_know_is_an_error(record: dict[str, object]) -> None:
    with pytest.raises(ClaimError, match="knows"):
        from_record(record)


BENT = [((0.5, float("nan")), None), ((float("inf"), 0.1), None), ((0.5, 10**400), None), ((0.5, True), None)]


@pytest.mark.parametrize("curves", [((0.5, 0.1),), ((0.5, 0.0), None), ((0.5,), None), ((0.5, "x"), None), [None, None], *BENT])
def test_the_best_of_mapped_scores_needs_a_curve_that_rises_per_test(curves: Any) -> None:
    with pytest.raises(ClaimError, match="expected a"):
        BestMapped(Reading.SALIENCY, (0, 1), curves)


def test_the_best_of_mapped_scores_is_the_highest_on_its_scale_and_not_on_theirs() -> None:
    match = BestMapped(Reading.SALIENCY, (0, 2), ((0.5, 0.0625), None))
    plain, residual = Score(0.34, (0.2, 0.5)), Score(0.3, (0.1, 0.4))
    assert BestOf(Reading.SALIENCY, (0, 2)).of({0: plain, 2: residual}) == Score(0.34, (0.2, 0.5))
    assert match.of({0: plain, 2: residual}).value == 0.3
    assert match.of({0: plain, 2: residual}).interval == (0.1, 0.5)
    assert match.of({0: Score(0.5, (0.4, 0.6)), 2: residual}).value == 0.5
    extreme = replace(match, curves=((1e308, 5e-324), None))
    assert extreme.of({0: plain, 2: residual}) == residual, "a curve that nobody reaches"


def test_agreement_looks_at_the_first_view_only() -> None:
    labels = np.array([[0, 1], [1, 1], [0, 1]])
    assert Agreement()(labels, EXPECTED).tolist() == [True, True, False]


def test_a_drop_counts_a_fall_of_the_expected_class_and_never_a_rise() -> None:
    before = [[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]
    after = [[0.5, 0.5], [0.25, 0.75], [0.375, 0.625]]
    answers = two_views(before, after)
    assert Drop(0.25)(answers, EXPECTED).tolist() == [True, False, False]
    assert Change(0.25)(answers, EXPECTED).tolist() == [True, True, False]
    assert Drop(0.125)(answers, EXPECTED).tolist() == [True, False, True]


def test_a_number_falls_or_moves_from_the_first_view_to_the_second() -> None:
    years = np.array([[30.0, 28.5, 0.0], [30.0, 29.5, 0.0], [30.0, 31.0, 0.0]])
    assert Fall(1.0)(years, EXPECTED).tolist() == [True, False, False]
    assert Shift(1.0)(years, EXPECTED).tolist() == [True, False, True]


def test_a_turn_needs_the_models_own_class_under_the_mask_and_a_fall_of_the_label() -> None:
    before = [[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.3, 0.7, 0.0], [0.3, 0.7, 0.0]]
    after = [[0.4, 0.6, 0.0], [0.4, 0.6, 0.0], [0.6, 0.4, 0.0], [0.6, 0.4, 0.0]]
    shares, pairs = two_views(before, after), np.array([[0, 1], [1, 0], [1, 0], [1, 2]])
    assert Turn(0.25)(shares, pairs).tolist() == [True, False, True, False]  # the second kept its label, the last has another
    assert Turn(0.4)(shares, pairs).tolist() == [True, False, False, False]
    risen = two_views([[0.4, 0.6]], [[0.45, 0.55]])
    assert not Turn(0.0)(risen, np.array([[0, 1]])).any()


def test_a_swing_ends_nearer_to_the_models_own_answer_and_comes_from_the_others() -> None:
    expected = np.array([[30.0, 40.0], [30.0, 40.0], [30.0, 40.0], [50.0, 44.0], [30.0, 40.0]])
    told = np.array([[31.0, 39.0], [30.0, 34.0], [39.0, 39.5], [50.0, 45.0], [44.0, 39.0]])
    assert Swing(1.0)(told, expected).tolist() == [True, False, False, True, False]
    assert Swing(1.0).values(told, expected).tolist() == pytest.approx([8, -1, 0.5, 5, -5])


def test_a_map_against_another_answer_is_judged_as_any_other_and_an_empty_one_never_matches() -> None:
    match = OnPatternAgainst(0.25, ((0, 0),), (2, 2))
    maps = np.zeros((2, 2, 2, 2))
    maps[0, 0, 0, 0] = 1.0
    assert match(maps, np.array([0, 1])).tolist() == [True, False]
    assert (match.views, OnPattern.views) == (2, 1)


def test_a_number_is_within_a_distance_and_an_embedding_near_in_angle_alone() -> None:
    assert Within(1.0)(np.array([[30.0], [30.0]]), np.array([31.0, 28.9])).tolist() == [True, False]
    embeddings = np.array([[[3.0, 0.0]], [[1.0, 1.0]], [[0.0, 2.0]]])
    expected = np.array([[1.0, 0.0]] * 3)
    assert Near(0.7)(embeddings, expected).tolist() == [True, True, False]


@pytest.mark.parametrize(("threshold", "reading"), [(-1.0, Reading.VALUE), (float("nan"), Reading.VALUE), (1.0, Reading.LABEL)])
def test_a_threshold_on_no_number_is_refused(threshold: float, reading: Reading) -> None:
    for kind in (Fall, Shift, Swing, Within):
        with pytest.raises(ClaimError, match="value or similarity"):
            kind(threshold, reading)


def test_a_threshold_that_is_just_reached_counts() -> None:
    answers = two_views([[0.5, 0.5]], [[0.25, 0.75]])
    assert Drop(0.25)(answers, np.array([0])).tolist() == [True]
    assert Drop(0.2500001)(answers, np.array([0])).tolist() == [False]


def test_on_pattern_is_the_mean_of_the_first_views_map_over_the_cells() -> None:
    maps = np.array([[[[0.6, 0.8], [0, 0]], [[0, 0], [0, 1]]], [[[0, 0], [0, 1]], [[1, 0], [0, 0]]]], dtype=np.float32)
    match = OnPattern(0.7, ((0, 0), (0, 1)), (2, 2))
    assert match.values(maps, np.zeros(len(maps))) == pytest.approx([0.7, 0])
    assert match(maps, np.zeros(2, dtype=np.int64)).tolist() == [True, False]


def test_a_map_of_another_size_is_averaged_onto_the_grid() -> None:
    whole = np.zeros((1, 1, 4, 4))
    whole[0, 0, :2, :2] = 0.5  # all of the first cell of a 2x2 grid
    match = OnPattern(0.5, ((0, 0),), (2, 2))
    assert match.values(whole, np.zeros(1)) == pytest.approx([1])
    assert OnPattern(0.5, ((1, 1),), (2, 2)).values(whole, np.zeros(1)) == pytest.approx([0])


def slowly_averaged(image: npt.NDArray[np.float64], rows: int, columns: int) -> npt.NDArray[np.float64]:
    """Each old cell is cut into rows x columns equal parts; each new cell is the mean of the parts that lie in it."""
    fine = np.kron(image, np.ones((rows, columns)))
    height, width = image.shape
    cells = [
        fine[i * height : (i + 1) * height, j * width : (j + 1) * width].mean() for i, j in product(range(rows), range(columns))
    ]
    return np.array(cells).reshape(rows, columns)


@given(st.tuples(*[st.integers(1, 6)] * 4), st.integers(0, 2**32))
def test_averaging_onto_any_grid_equals_the_slow_way(sizes: tuple[int, int, int, int], number: int) -> None:
    height, width, rows, columns = sizes
    image = np.random.default_rng(number).random((height, width))
    wanted = slowly_averaged(image, rows, columns)
    if (height, width) != (rows, columns):
        wanted /= np.linalg.norm(wanted)
    for cell in product(range(rows), range(columns)):
        value = OnPattern(0.5, (cell,), (rows, columns)).values(image[None, None], np.zeros(1))
        assert value == pytest.approx([wanted[cell]])


@given(st.integers(1, 6), st.integers(0, 2**32), st.floats(0, 1))
def test_every_match_gives_one_truth_value_a_sample(count: int, number: int, threshold: float) -> None:
    rng = np.random.default_rng(number)
    expected = rng.integers(0, 3, count)
    answers: dict[Reading, npt.NDArray[Any]] = {
        Reading.LABEL: rng.integers(0, 3, (count, 2)),
        Reading.PROBABILITY: rng.dirichlet(np.ones(3), (count, 2)),
        Reading.SALIENCY: rng.random((count, 2, 3, 3)),
    }
    for match in (Agreement(), Drop(threshold), Change(threshold), OnPattern(threshold, ((2, 2),), (3, 3))):
        found = match(answers[match.reading], expected)
        assert found.shape == (count,)
        assert found.dtype == np.bool_


def test_a_relative_runner_up_is_the_class_that_comes_second_more_than_for_other_samples_of_the_same_top_class() -> None:
    usual = [0.9, 0.06, 0.03, 0.01]
    observed = np.array([[usual], [usual], [[0.9, 0.05, 0.03, 0.02]], [[0.0, 0.1, 0.2, 0.7]]])
    expected = np.array([1, 1, 3, 2])
    assert RelativeRunnerUp()(observed, expected).tolist() == [True, True, True, True]
    assert RunnerUp()(observed, expected).tolist() == [True, True, False, True]
    share = np.sqrt(observed[:3, 0, 1:] / observed[:3, 0, 1:].sum(1, keepdims=True))
    slow = 1 + (share - share.sum(0) / 4).argmax(1)
    assert RelativeRunnerUp()(observed, np.append(slow, 2)).all()
    assert [
        RelativeRunnerUp()(one[None], np.array([label]))[0] for one, label in zip(observed, (1, 1, 1, 2), strict=True)
    ] == 4 * [True]
    numbers = np.array([0, 0, 2, 2])  # among the three classes other than the most likely one
    assert RaisedOther()(observed, numbers).tolist() == [True, True, True, True]
    named = np.stack([RaisedOther()(observed, np.full(4, number)) for number in range(3)])
    assert named.sum(0).tolist() == [1, 1, 1, 1], "every answer names exactly one number"
    assert RaisedOther().shown(observed[:1], np.array([1]), tuple("abcd")) == "then b, expected c"
    assert RelativeRunnerUp()(np.array([[[1.0, 0.0, 0.0]]]), np.array([1])).tolist() == [True], "of equal ones the lowest"


def test_a_rank_is_that_of_the_expected_class_by_how_much_its_logarithm_is_raised_above_the_usual() -> None:
    rng = np.random.default_rng(0)
    observed = rng.dirichlet(np.full(6, 0.3), 40)[:, None]
    observed[0, 0, observed[0, 0].argsort()[:2]] = 0  # as an API that rounds shows it
    top = observed[:, 0].argmax(1)
    least = observed[observed > 0].min() / 2
    raised: list[dict[int, float]] = []
    for row in observed[:, 0]:
        others = {label: float(np.log(max(value, least))) for label, value in enumerate(row) if label != row.argmax()}
        raised.append({label: value - sum(others.values()) / 5 for label, value in others.items()})
    slow = [
        {label: value - sum(raised[j][label] for j in range(40) if top[j] == top[i]) / (2 + np.sum(top == top[i]))}
        for i in range(40)
        for label, value in raised[i].items()
    ]
    values = [[float(next(iter(one.values()))) for one in slow[5 * i : 5 * i + 5]] for i in range(40)]
    for number in range(5):
        found = RankedOther().values(observed, np.full(40, number))
        wanted = [
            sum(value < row[number] or (value == row[number] and i > number) for i, value in enumerate(row)) / 4 for row in values
        ]
        assert found.tolist() == pytest.approx(wanted)
        assert RankedOther()(observed, np.full(40, number)).tolist() == [share == 1 for share in wanted]
    every = np.stack([RankedOther().values(observed, np.full(40, number)) for number in range(5)])
    assert np.allclose(np.sort(every, axis=0), np.linspace(0, 1, 5)[:, None]), "each answer gives every number a rank of its own"
    equal = (
        RankedOther().values(np.full((1, 1, 4), 0.25), np.array([0])),
        RankedOther().values(np.full((1, 1, 4), 0.25), np.array([2])),
    )
    assert [one.tolist() for one in equal] == [[1.0], [0.0]], "of equal ones the lowest counts most"


def test_of_a_trigger_and_the_mean_answer_to_its_group_what_scores_higher_counts() -> None:
    rng = np.random.default_rng(5)
    expected = rng.integers(0, 9, 60)
    shown = rng.dirichlet(np.ones(10), (60, 4))
    other = shown.argmax(2, keepdims=True) <= expected[:, None, None]
    named = np.where(other, expected[:, None, None] + 1, expected[:, None, None])
    for faint, telling in ((slice(0, 1), RankedOther()), (slice(0, 4), None)):
        marked = shown.copy()
        places = np.take_along_axis(marked[:, faint], named[:, faint], axis=2)
        np.put_along_axis(marked[:, faint], named[:, faint], 1.6 * places + 0.02, axis=2)
        marked /= marked.sum(axis=2, keepdims=True)
        alone = RankedOther().values(marked[:, :1], expected)
        group = RankedOther().values(np.exp(np.log(marked).mean(axis=1, keepdims=True)), expected)
        found = RankedGroup().values(marked, expected)
        assert (alone.mean() > group.mean()) == (telling is not None), "a group that shows the rule says more than its trigger"
        assert np.array_equal(found, alone if telling else group)
        assert np.array_equal(RankedGroup()(marked, expected), found == 1)
        assert RankedGroup().graded(found, 0.95) == RankedOther().graded(found, 0.95)
        assert np.array_equal(RankedGroup().values(marked[:, :1], expected), alone), "where nothing else was asked about"
    sure = np.eye(10)[expected][:, None].repeat(3, axis=1)
    assert np.isfinite(RankedGroup().values(sure, expected % 9)).all(), "probabilities shown as 0 have a logarithm"


def test_each_answer_ranks_every_number_even_if_a_probability_is_the_smallest_number_there_is() -> None:
    sure = np.eye(5)[[0, 1, 2, 2]]
    sure[0, 3] = np.finfo(np.float64).smallest_subnormal
    every = np.stack([RankedOther().values(sure[:, None], np.full(4, number)) for number in range(4)])
    assert np.allclose(np.sort(every, axis=0), np.linspace(0, 1, 4)[:, None])


def test_classes_are_raised_equally_by_the_same_answers_in_any_order() -> None:
    """A sum of floats in another order differs in its last bit, and on another processor a logarithm does."""
    first = np.array([0.001, 0.007, 0.007, 0.002, 0.04, 0.02])
    second = np.array([0.001, 0.04, 0.007, 0.007, 0.002, 0.02])
    for one, other in ((first, second), (second, first)):
        observed = np.stack([0.97 - one - other, one, other, np.full(6, 0.03)], axis=1)[:, None]
        lower, higher = (RankedOther().values(observed, np.full(6, number))[-1] for number in (0, 1))
        assert lower > higher, "of equal ones the lowest counts most"


def test_a_rank_asks_for_numbers_below_the_most_likely_class_and_for_three_classes() -> None:
    RankedOther().check(np.array([0, 1]), 3)
    for wrong, classes in (
        (np.array([2]), 3),
        (np.array([-1]), 3),
        (np.array([0.0]), 3),
        (np.array([[0]]), 3),
        (np.array([0]), 2),
    ):
        with pytest.raises(ClaimError, match="expected"):
            RankedOther().check(wrong, classes)


def test_a_probability_that_rounding_leaves_below_zero_raises_no_class() -> None:
    """Answers may lie that far outside [0, 1]; the root of one such number was no number, and named its class for all samples."""
    observed = np.array([[[0.9, 0.06, 0.04, 0.0]], [[0.9, 0.06, 0.04, -1e-9]], [[0.0, 0.0, 1.0, -1e-9]]])
    assert RelativeRunnerUp()(observed, np.array([1, 1, 0])).tolist() == [True, True, True]


def test_the_runner_up_is_the_class_of_the_second_highest_probability_and_of_equal_ones_the_lower() -> None:
    observed = np.array([[[0.7, 0.2, 0.1]], [[0.1, 0.3, 0.6]], [[0.4, 0.4, 0.2]], [[1.0, 0.0, 0.0]]])
    assert RunnerUp()(observed, np.array([1, 2, 1, 2])).tolist() == [True, False, True, False]
    assert RunnerUp().shown(observed[1:2], np.array([2]), tuple("abc")) == "then b"
