"""The judge and keyed labels: exact without any innocent model, and advice that fits."""

import numpy as np
import pytest
from conftest import CLASSES, Fake
from hypothesis import given
from hypothesis import strategies as st

from ownmark.claims.claim import Claim, Test
from ownmark.errors import UsageError
from ownmark.scoring.matches import Agreement, Drop
from ownmark.scoring.null_models import Innocents, KeyedLabels, Uncalibrated
from ownmark.scoring.readings import Reading
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

KEY = "0123456789abcdef" * 4


def keyed(triggers: int = 120, *more: Test) -> Claim:
    """A claim of keyed labels in three classes, and of `more` tests behind it."""
    null = KeyedLabels(KEY, triggers, 3, sets=1)
    images = np.zeros((triggers, 2, 1, 1, 1), dtype=np.uint8)
    return Claim(images, (Test(Reading.LABEL, Agreement(), null.labels(), 1.0, "", null), *more), CLASSES, "s", "m")


def hitting(claim: Claim, hits: int) -> Fake:
    """A suspect that gives the first `hits` expected labels, and wrong ones after."""
    expected = claim.tests[0].expected
    labels = np.where(np.arange(len(expected)) < hits, expected, (expected + 1) % 3)
    return Fake({Reading.LABEL: np.repeat(labels, 2)})


def drop(triggers: int = 120) -> Test:
    return Test(Reading.PROBABILITY, Drop(0.5), np.zeros(triggers, dtype=np.int64), 1.0)


def test_a_keyed_claim_is_judged_without_any_innocent_model() -> None:
    claim = keyed()
    assert verify(claim, hitting(claim, 120), alpha=1e-6).outcome is Outcome.MATCH
    assert verify(claim, hitting(claim, 40)).outcome is Outcome.NO_MATCH
    assert verify(claim, hitting(claim, 40)).deciding.p == 1


@given(st.integers(0, 120), st.floats(1e-6, 0.5))
def test_a_keyed_match_is_exactly_a_p_of_at_most_alpha(hits: int, alpha: float) -> None:
    claim = keyed()
    verdict = verify(claim, hitting(claim, hits), alpha=alpha)
    assert verdict.deciding.p == claim.tests[0].null.p_value(hits / 120)
    assert (verdict.outcome is Outcome.MATCH) == (verdict.deciding.p <= alpha)


@given(st.integers(1, 60), st.floats(1e-9, 0.5))
def test_with_too_few_triggers_a_verdict_says_how_many_are_needed(triggers: int, alpha: float) -> None:
    claim = keyed(triggers)
    verdict = verify(claim, hitting(claim, triggers), alpha=alpha)
    if verdict.deciding.smallest <= alpha:
        assert verdict.outcome is Outcome.MATCH
        return
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "innocent" not in verdict.reason
    needed = int(verdict.reason.split("At least ")[1].split()[0])
    assert needed > triggers
    assert verify(keyed(needed), hitting(keyed(needed), needed), alpha=alpha).outcome is Outcome.MATCH


def test_calibrating_a_claim_that_is_exact_is_refused_before_any_query() -> None:
    innocent = hitting(keyed(), 40)
    with pytest.raises(UsageError, match="exact already"):
        calibrate(keyed(), [innocent])
    assert innocent.asked == []


def test_calibrating_leaves_a_keyed_null_as_it_is_and_sets_the_others() -> None:
    claim = keyed(120, drop())
    rows = np.tile([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], (120, 1))
    innocent = Fake({**hitting(claim, 40).answers, Reading.PROBABILITY: rows}, "innocent")
    found = calibrate(claim, [innocent])
    assert found.tests[0].null == claim.tests[0].null
    assert found.tests[1].null == Innocents((1.0,), ("innocent",))


def test_innocents_that_answer_nothing_but_keyed_labels_calibrate_nothing_and_that_is_an_error() -> None:
    claim = keyed(120, drop())
    assert isinstance(claim.tests[1].null, Uncalibrated)
    with pytest.raises(UsageError, match="answered by all of them"):
        calibrate(claim, [hitting(claim, 40)])
