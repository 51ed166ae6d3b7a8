"""A test that stops early: its p holds wherever one stops, it decides soon, and nobody can bend it by when he stops."""

import math
from collections.abc import Callable
from statistics import median

import numpy as np
import pytest
from conftest import Fake
from judging import Buried, keyed
from judging import marked as marking
from marked import Answering, Undertoned, copy_of, innocent_of, marked_claim
from scipy.integrate import quad
from scipy.stats import beta, binom

from ownmark import keys
from ownmark.errors import UsageError
from ownmark.evidence.choices import RELATIVE, RULES
from ownmark.scoring.matches import Match, together
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading
from ownmark.statistics import sequential
from ownmark.statistics.sequential import Early, Rule, State, Stop
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

PLAIN = Rule(0.05, 10, 0, 1.0, 0.01)


@pytest.mark.parametrize(("matched", "asked", "chance"), [(0, 4, 0.1), (7, 9, 0.1), (30, 30, 0.5), (2, 40, 0.3), (12, 80, 0.01)])
def test_the_bet_is_the_mean_likelihood_ratio_over_every_rate_above_chance(matched: int, asked: int, chance: float) -> None:
    def ratio(rate: float) -> float:
        return float(binom.pmf(matched, asked, rate) / binom.pmf(matched, asked, chance) * beta.pdf(rate, 0.5, 0.5))

    wanted = quad(ratio, chance, 1, limit=500)[0] / beta.sf(chance, 0.5, 0.5)
    assert math.exp(sequential.log_gain(matched, asked, chance)) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("chance", [0.5, 0.1, 0.01])
def test_the_bet_is_fair_on_a_model_without_the_key(chance: float) -> None:
    for asked in (1, 2, 10, 60):
        chances = binom.pmf(range(asked + 1), asked, chance)
        gains = [math.exp(sequential.log_gain(matched, asked, chance)) for matched in range(asked + 1)]
        assert np.dot(chances, gains) == pytest.approx(1)


def ends(rate: float, stops: Callable[[int, int], bool], most: int = 200) -> float:
    """The exact chance that the answers of a model with that rate of matches reach a stop."""
    reached, going = 0.0, {0: 1.0}
    for asked in range(1, most + 1):
        after: dict[int, float] = {}
        for matched, share in going.items():
            for hit, likely in ((1, rate), (0, 1 - rate)):
                after[matched + hit] = after.get(matched + hit, 0.0) + share * likely
        reached += sum(share for matched, share in after.items() if stops(matched, asked))
        going = {matched: share for matched, share in after.items() if not stops(matched, asked)}
    return reached


@pytest.mark.parametrize("classes", [2, 3, 10, 100])
@pytest.mark.parametrize("alpha", [0.1, 0.01])
def test_the_chance_of_ever_upholding_an_innocent_is_at_most_alpha_however_long_one_goes_on(classes: int, alpha: float) -> None:
    def upheld(matched: int, asked: int) -> bool:
        return sequential.log_gain(matched, asked, 1 / classes) >= -math.log(alpha)

    assert 0 < ends(1 / classes, upheld) <= alpha


@pytest.mark.parametrize("nearer", [0.0, 0.1, 0.3])
def test_a_mark_half_of_the_way_or_nearer_is_given_up_as_seldom_as_was_said(nearer: float) -> None:
    def given_up(matched: int, asked: int) -> bool:
        return sequential.log_doubt(matched, asked, PLAIN.chance, PLAIN.survival) >= -math.log(PLAIN.miss)

    assert ends(PLAIN.survival + nearer, given_up) <= PLAIN.miss


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.97])
def test_the_interval_holds_at_every_stop_at_once(rate: float) -> None:
    def left_out(matched: int, asked: int) -> bool:
        low, high = sequential.interval(matched, asked)
        return not low <= rate <= high

    assert ends(rate, left_out, most=60) <= 0.05


def test_an_interval_holds_the_share_and_narrows() -> None:
    assert sequential.interval(0, 0) == (0, 1)
    for matched, asked in ((0, 9), (9, 9), (4, 9), (40, 90)):
        low, high = sequential.interval(matched, asked)
        assert 0 <= low <= matched / asked <= high <= 1
    assert np.ptp(sequential.interval(40, 90)) < np.ptp(sequential.interval(4, 9)) < 1


def test_p_never_grows_as_one_goes_on_and_is_never_above_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        state, before = sequential.BEGUN, 1.0
        for matched in rng.random(50) < rng.random():
            state = PLAIN.after(state, matched=bool(matched))
            assert PLAIN.p(state) <= before <= 1
            before = PLAIN.p(state)


def test_a_true_copy_takes_at_most_30_of_100_queries_and_an_innocent_at_most_20() -> None:
    rng, spent = np.random.default_rng(0), []
    for number in range(60):
        claim = marked_claim(number)
        verdict = verify(claim, copy_of(claim, 1.0, rng), alpha=1e-6, early=Early())
        assert verdict.outcome is Outcome.MATCH
        spent.append(verdict.queries)
    assert median(spent) <= 30
    spent.clear()
    for number in range(60):
        claim = marked_claim(number)
        verdict = verify(claim, innocent_of(claim, number), alpha=1e-6, early=Early())
        assert verdict.outcome is not Outcome.MATCH
        spent.append(verdict.queries)
    assert median(spent) <= 20


def test_of_2000_innocents_no_more_are_upheld_than_alpha_allows() -> None:
    alpha, upheld = 0.01, 0
    for number in range(2000):
        claim = marked_claim(number, grinding=0, triggers=60)
        upheld += verify(claim, innocent_of(claim, number), alpha=alpha, early=Early()).outcome is Outcome.MATCH
    assert upheld <= binom.ppf(0.99, 2000, alpha)


def test_the_order_comes_from_the_key_and_the_test_stops_at_the_first_trigger_that_decides() -> None:
    claim = marked_claim()
    null = claim.tests[0].null
    assert isinstance(null, KeyedLabels)
    wanted = keys.chosen(keys.derived(bytes.fromhex(null.key), "order", 0), 100, 100).tolist()
    copy = copy_of(claim, 1.0, np.random.default_rng(0))
    verdict = verify(claim, copy, alpha=1e-6, early=Early())
    assert copy.asked == wanted[: verdict.queries] != sorted(copy.asked)
    assert verdict.deciding.matches.tolist() == [True] * verdict.queries
    assert marked_claim(1).tests[0].null != null
    before = Rule(1e-6, 10, 64, 1.0, 0.01)
    state = State()
    for _ in copy.asked:
        assert before.outcome(state) is Stop.NOT_YET
        state = before.after(state, matched=True)
    assert before.outcome(state) is Stop.UPHELD
    assert verdict.deciding.p == before.p(state) <= 1e-6


@pytest.mark.parametrize(("rule", "kind"), list(zip(RULES.values(), (Answering, *5 * [Undertoned]), strict=True)))
def test_a_test_that_stops_early_counts_answers_by_the_claims_own_rule(rule: Match, kind: type[Answering]) -> None:
    claim = marked_claim(rule=rule)
    copy = kind(copy_of(claim, 1.0, np.random.default_rng(0)).labels)
    innocent = kind(innocent_of(claim, 0).labels)
    found = verify(claim, copy, alpha=1e-6, early=Early())
    assert (found.outcome, found.deciding.score) == (Outcome.MATCH, 1)
    asked = claim.tests[0].expected[copy.asked]
    assert found.deciding.test.match(found.deciding.observed, asked).all(), "the answers themselves are kept"
    outcome = Outcome.INCONCLUSIVE if together(rule) else Outcome.NO_MATCH
    assert verify(claim, innocent, alpha=1e-6, early=Early()).outcome is outcome


def test_first_answers_rule_no_mark_out_that_only_shows_beside_the_usual_ones() -> None:
    claim = keyed(sets=1, access=RELATIVE)
    suspect = Buried(marking(claim), "student")
    assert verify(claim, suspect, alpha=1e-6).outcome is Outcome.MATCH
    found = verify(claim, suspect, alpha=1e-6, early=Early())
    assert found.outcome is not Outcome.NO_MATCH
    assert "is not ruled out" in found.reason


def test_the_cap_is_kept_and_ends_in_inconclusive() -> None:
    claim = marked_claim(grinding=0)
    half = copy_of(claim, 0.3, np.random.default_rng(3))
    verdict = verify(claim, half, alpha=1e-6, early=Early(most=8))
    assert (verdict.outcome, verdict.queries, len(half.asked)) == (Outcome.INCONCLUSIVE, 8, 8)
    assert "8 of 8 triggers" in verdict.reason


def test_a_cap_or_an_alpha_that_no_score_reaches_is_told_before_any_query() -> None:
    claim = marked_claim()
    copy = copy_of(claim, 1.0, np.random.default_rng(0))
    for alpha, early in ((1e-6, Early(most=20)), (1e-90, Early())):
        verdict = verify(claim, copy, alpha=alpha, early=early)
        assert (verdict.outcome, verdict.queries, copy.asked) == (Outcome.INCONCLUSIVE, 0, [])
        assert "could reach" in verdict.reason


def test_only_keyed_labels_can_be_stopped_early_and_only_with_numbers_that_can_be_meant() -> None:
    claim = marked_claim()
    with pytest.raises(UsageError, match="only a test of keyed labels"):
        verify(claim, Fake({Reading.PROBABILITY: np.zeros((1, 10))}), early=Early())
    with pytest.raises(UsageError, match="no more than by chance"):
        verify(marked_claim(target=0.1), Answering(np.zeros(100, dtype=np.int64)), early=Early())
    for wrong in ({"miss": 0.0}, {"miss": 1.0}, {"most": 0}):
        with pytest.raises(UsageError):
            Early(**wrong)
