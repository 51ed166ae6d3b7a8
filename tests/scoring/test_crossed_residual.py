"""A graded match: its mean is mapped, its interval comes from the spread, and whatever shows or judges a claim copes with it."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from conftest import Fake, small_claim
from scipy import stats

from ownmark.claims.claim import Claim, Test
from ownmark.errors import ClaimError
from ownmark.evidence.scan import Scan
from ownmark.report.page import page
from ownmark.scoring.matches import Agreement, CrossedResidual, scored
from ownmark.scoring.readings import Reading
from ownmark.verdicts.calibrate import calibrate
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

COUNT = 40
MATCH = CrossedResidual(0.3, 0.075)
WEIGHTS = np.concatenate([np.ones((COUNT, 1)), np.zeros((COUNT, 2)), np.full((COUNT, 1), 0.5)], axis=1)


def answering(share: float, number: int = 0) -> Fake:
    """A suspect whose residual is about the square root of the first class's probability, minus a half."""
    rng = np.random.default_rng(number)
    first = np.clip(share + 0.05 * rng.normal(size=COUNT), 0, 1)
    rest = (1 - first) / 2
    return Fake({Reading.PROBABILITY: np.stack([first, rest, rest], axis=1)}, f"suspect {number}", f"{number:064}")


def residual_claim() -> Claim:
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 1, 4, 4, 3), dtype=np.uint8)
    test = Test(Reading.PROBABILITY, MATCH, WEIGHTS, MATCH.mapped(0.5))
    return small_claim(images=images, tests=(test,), originals=images[:, 0], maps=None, scheme="Residual(samples=40)")


@pytest.fixture(scope="module")
def claim() -> Claim:
    """Calibrated by 19 models that are about as sure as chance."""
    return calibrate(residual_claim(), [answering(0.3, number) for number in range(19)])


def test_the_score_is_the_mapped_mean_and_its_interval_students() -> None:
    shares = answering(0.5).answers[Reading.PROBABILITY]
    values = np.sqrt(shares[:, 0]) - 0.5
    matches, score = scored(MATCH, shares[:, None], WEIGHTS, 0.95)
    ends = stats.t.interval(0.95, COUNT - 1, values.mean(), stats.sem(values))
    logistic = [1 / (1 + np.exp(-(end - 0.3) / 0.075)) for end in (values.mean(), *ends)]
    assert (score.value, *score.interval) == pytest.approx(tuple(logistic))
    assert matches.tolist() == (values > 0).tolist()


def test_one_image_gives_no_spread_so_its_interval_is_everything() -> None:
    assert MATCH.graded(np.array([0.4]), 0.95).interval == (0.0, 1.0)


def test_what_lies_further_from_independent_models_than_any_copy_is_no_match(claim: Claim) -> None:
    """A constant answer, classes in another order or noise have the largest residuals of all."""
    test = replace(claim.tests[0], expected=WEIGHTS * 4)  # so that the suspects reach what no copy does
    far = replace(claim, tests=(test,))
    copy, constant = verify(far, answering(0.6)), verify(far, answering(1.0))
    assert copy.outcome is Outcome.MATCH
    assert (constant.outcome, constant.deciding.score) == (Outcome.INCONCLUSIVE, 0.0)
    assert "deviate from independent models 1.9" in constant.reason
    assert "order of its classes" in constant.reason


def test_a_boolean_match_scores_as_before_by_its_share() -> None:
    _, score = scored(Agreement(), np.array([[0], [1], [1], [1]]), np.array([1, 1, 1, 1]), 0.95)
    low = stats.beta.ppf(0.025, 3, 2)
    assert (score.value, score.interval[0]) == pytest.approx((0.75, low))


def test_labels_are_weighed_like_certain_probabilities() -> None:
    weights = np.array([[0.5, -1.0, 0.0, 0.25], [2.0, 0.0, 1.0, 0.5]])
    values = CrossedResidual(0.1, 0.1, Reading.LABEL).values(np.array([[1], [2]]), weights)
    assert values.tolist() == [-1.25, 0.5]


@pytest.mark.parametrize(
    "weights", [WEIGHTS[:, 1:], WEIGHTS.astype(np.float32), np.where(WEIGHTS == 1, np.nan, WEIGHTS), WEIGHTS[:-1]]
)
def test_weights_that_do_not_fit_the_claim_are_refused(weights: npt.NDArray[np.float64]) -> None:
    claim = residual_claim()
    with pytest.raises(ClaimError):
        replace(claim, tests=(replace(claim.tests[0], expected=weights),))


@pytest.mark.parametrize("asked", [{"width": 0.0}, {"middle": float("nan")}, {"reading": Reading.SALIENCY}])
def test_a_map_that_is_none_is_refused(asked: dict[str, float]) -> None:
    with pytest.raises(ClaimError):
        CrossedResidual(**{"middle": 0.3, "width": 0.1} | asked)  # type: ignore[arg-type]


def test_a_verdict_a_page_and_a_notebook_tell_a_graded_score(claim: Claim) -> None:
    again = Claim.from_bytes(claim.to_bytes())
    copy, innocent = (verify(again, answering(share, 99)) for share in (0.9, 0.3))
    assert (copy.outcome, innocent.outcome) == (Outcome.MATCH, Outcome.NO_MATCH)
    assert copy.deciding.p == 1 / 20
    assert f"a score of {copy.deciding.score:.2f}" in repr(copy)
    text = page(again, [copy, innocent])
    assert f"with a score of {copy.deciding.score:.2f} out of 1" in text
    assert "unchanged image" in text
    assert f"of {COUNT} fingerprint images this model" not in text, "the score is no count"
    assert "The score says how far the model" in text


def test_what_the_question_names_is_a_class_and_never_a_weight(claim: Claim) -> None:
    suspect = answering(0.9, 50)
    verify(claim, suspect)
    assert suspect.asked[0].target.tolist() == [0] * COUNT


def test_a_scan_asks_the_whole_claim_at_once(claim: Claim) -> None:
    found = Scan(claim, 1, 0.05, screen=10).found(answering(0.9, 77))
    assert (found.queries, found.screened, found.outcome) == (COUNT, False, Outcome.MATCH)
    assert found.score == verify(claim, answering(0.9, 77)).deciding.score
