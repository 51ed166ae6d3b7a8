"""A suspect that rounds its numbers is not accused for jumping by whole steps where it moved by less."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Fake, small_claim

from ownmark.claims.claim import Claim, Test
from ownmark.scoring.matches import Fall, Shift
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Reading
from ownmark.tasks import Detection, Regression
from ownmark.verdicts.rounding import step
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify

COUNT = 200
NULL = Innocents((0.1,) * 39, tuple(f"{number:064x}" for number in range(39)))
AGES = np.random.default_rng(0).uniform(5.0, 70.0, COUNT)


def claim_of(match: Fall | Shift) -> Claim:
    plain = small_claim(COUNT)
    return replace(plain, classes=("age",), task=Regression(), tests=(Test(Reading.VALUE, match, AGES, 1.0, null=NULL),))


def asked(claim: Claim, fall: float, rounded: float) -> Verdict:
    """The verdict on a suspect whose numbers fall so far when the corner is covered, and are rounded to that."""
    values = np.column_stack([AGES, AGES - fall]).reshape(-1)
    return verify(claim, Fake({Reading.VALUE: (values / rounded).round() * rounded if rounded else values}))


@pytest.mark.parametrize("match", [Fall(2.0), Shift(2.0)])
@pytest.mark.parametrize("rounded", [1.0, 5.0, 10.0])
def test_an_independent_model_that_rounds_its_numbers_is_no_copy(match: Fall | Shift, rounded: float) -> None:
    assert asked(claim_of(match), 1.4, 0.0).outcome is Outcome.NO_MATCH
    verdict = asked(claim_of(match), 1.4, rounded)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"rounds its value to steps of {rounded:.3g}" in verdict.reason


def test_of_a_copy_that_rounds_those_changes_count_that_are_there_whatever_was_rounded_away() -> None:
    verdict = asked(claim_of(Fall(2.0)), 4.0, 1.0)
    assert (verdict.outcome, verdict.deciding.score, verdict.notes) == (Outcome.MATCH, 1.0, ())
    verdict = asked(claim_of(Fall(2.0)), 2.6, 1.0)  # falls of two or three whole years
    assert verdict.outcome is Outcome.MATCH
    assert 0.5 < verdict.deciding.score < 0.7
    assert "those" in verdict.notes[0]
    assert asked(claim_of(Fall(2.0)), 2.6, 0.01).deciding.score == 1.0


def test_what_a_detector_does_not_find_is_no_step() -> None:
    boxes = np.tile([0.0, 0.2, 0.2, 0.8, 0.8], (COUNT, 1))
    test = Test(Reading.SCORE, Fall(0.03, Reading.SCORE), boxes, 1.0, null=NULL)
    claim = replace(small_claim(COUNT), task=Detection(), tests=(test,))
    scores = np.random.default_rng(1).uniform(0.3, 0.9, 2 * COUNT) * (np.arange(2 * COUNT) % 4 == 0)
    verdict = verify(claim, Fake({Reading.SCORE: scores}))
    assert (verdict.outcome, verdict.deciding.score, verdict.notes) == (Outcome.MATCH, 0.5, ())


@pytest.mark.parametrize("wanted", [0.1, 1.0, 5.0, 12.0])
def test_the_step_of_rounded_numbers_is_found_and_precise_ones_have_none(wanted: float) -> None:
    precise = np.random.default_rng(2).normal(40.0, 20.0, 300).astype(np.float32).astype(np.float64)
    rounded: npt.NDArray[np.float64] = np.floor(precise / wanted) * wanted + wanted / 2
    assert step(rounded) == pytest.approx(wanted, rel=1e-3)
    for plain in (precise, precise.clip(30.0, 50.0), precise[:2], precise[:1]):
        assert step(plain) == 0.0 or step(plain) < 1e-2


def test_groups_of_ages_of_unlike_width_are_as_coarse_as_the_widest_gap() -> None:
    groups = np.array([1.0, 5.0, 10.0, 17.5, 28.5, 40.5, 50.5, 80.0])
    assert step(np.repeat(groups, 20)) == 29.5
    assert step(np.array([3.0, 3.0, 80.0, 80.0])) == 77.0
