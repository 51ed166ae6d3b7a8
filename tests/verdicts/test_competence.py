"""NO MATCH says that a model is another one; of a suspect that does not do the task, nothing follows."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
from conftest import CLASSES, Fake, small_claim
from judging import NONCE, genuine, handed

from ownmark.claims.claim import Claim, Test
from ownmark.errors import UsageError
from ownmark.evidence.ruling import Outcome as Ruled
from ownmark.evidence.ruling import Rules, Session, opened_part, ruled
from ownmark.evidence.scan import Scan
from ownmark.protocols import Question, Suspect
from ownmark.querying.transcript import Heard, Role, heard_plainly
from ownmark.scoring.matches import Agreement, CrossedResidual, Drop, Fall
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Reading, best_only
from ownmark.tasks import Detection, Regression, Similarity
from ownmark.verdicts.verdict import Outcome, Verdict
from ownmark.verdicts.verify import verify
from ownmark.workflows.judge import JudgeResult

COUNT, NONE = 30, Innocents((0.0,) * 39, tuple(f"{number:064x}" for number in range(39)))
CLAIM = small_claim(COUNT)
CLASSES_CLAIM = replace(CLAIM, tests=(Test(Reading.PROBABILITY, Drop(0.1), CLAIM.tests[1].expected, 1.0, null=NONE),))
AGES = np.linspace(20.0, 70.0, COUNT)
AGES_CLAIM = replace(CLAIM, classes=("age",), task=Regression(), tests=(Test(Reading.VALUE, Fall(3.0), AGES, 1.0, null=NONE),))


def saying(labels: npt.NDArray[np.int64]) -> Fake:
    """A suspect that is sure of these labels, in both views."""
    said = np.repeat(labels, 2)
    return Fake({Reading.PROBABILITY: np.eye(len(CLASSES))[said], Reading.LABEL: said})


def outcome(claim: Claim, suspect: Suspect) -> tuple[Outcome, bool]:
    verdict = verify(claim, suspect)
    return verdict.outcome, "preprocessing (--mean" in verdict.reason


def test_a_suspect_that_knows_the_images_is_another_model() -> None:
    expected = CLAIM.tests[1].expected
    assert outcome(CLASSES_CLAIM, saying(expected)) == (Outcome.NO_MATCH, False)
    half_right = np.where(np.arange(COUNT) % 2, expected, (expected + 1) % len(CLASSES))
    assert outcome(CLASSES_CLAIM, saying(half_right)) == (Outcome.NO_MATCH, False)


def test_of_a_suspect_that_says_one_thing_or_names_the_classes_in_another_order_nothing_follows() -> None:
    expected = CLAIM.tests[1].expected
    assert outcome(CLASSES_CLAIM, saying(np.zeros(COUNT, dtype=np.int64))) == (Outcome.INCONCLUSIVE, True)
    assert outcome(CLASSES_CLAIM, saying((expected + 1) % len(CLASSES))) == (Outcome.INCONCLUSIVE, True)


@dataclass(frozen=True)
class Trained:
    """A suspect with other labels for changed images, which come two by two, than for their originals, or none for these."""

    changed: npt.NDArray[np.int64]
    originals: npt.NDArray[np.int64] | None
    reveals: frozenset[Reading] = frozenset({Reading.PROBABILITY})
    name: str = "trained"
    digest: str = ""

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        if len(images) == COUNT and self.originals is None:
            raise UsageError("the budget is spent")
        said = self.originals if len(images) == COUNT else np.repeat(self.changed, 2)
        return {one: np.eye(len(CLASSES))[said] for one in question.readings}


def test_a_copy_that_was_trained_to_answer_changed_images_otherwise_is_asked_about_unchanged_ones() -> None:
    """Its residual counts, and of one that is no copy NO MATCH follows; not so of one that knows the originals no better."""
    expected, other = CLAIM.tests[1].expected, (CLAIM.tests[1].expected + 1) % len(CLASSES)
    classes = np.eye(len(CLASSES))
    weights = np.column_stack([(classes[other] - classes[expected]) / 2, np.full(COUNT, -0.5)])
    residual = Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), weights, 1.0, null=replace(NONE, scores=(0.01,) * 39))
    both = replace(CLAIM, tests=(residual, CLASSES_CLAIM.tests[0]))
    assert outcome(both, Trained(other, expected)) == (Outcome.MATCH, False)
    assert outcome(both, Trained(other, other)) == (Outcome.INCONCLUSIVE, True)
    assert outcome(CLASSES_CLAIM, Trained(other, expected)) == (Outcome.NO_MATCH, False)
    for unknown in (np.zeros(COUNT, dtype=np.int64), None):
        assert outcome(CLASSES_CLAIM, Trained(other, unknown)) == (Outcome.INCONCLUSIVE, True)
    assert verify(CLASSES_CLAIM, Trained(expected, expected)).queries == 2 * COUNT
    assert verify(CLASSES_CLAIM, Trained(other, expected)).queries == 3 * COUNT


def test_a_copy_whose_probabilities_are_softened_until_they_hardly_differ_is_not_cleared() -> None:
    """The labels stay, and with them the use: only the differences that a claim asks for are gone."""
    expected, classes = CLAIM.tests[1].expected, np.eye(len(CLASSES))
    weights = np.column_stack([classes[(expected + 1) % len(CLASSES)] - classes[expected], np.zeros(COUNT)])
    innocents = replace(NONE, scores=(0.5,) * 39)
    residual = Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), weights, 1.0, null=innocents)
    for test in (residual, CLASSES_CLAIM.tests[0]):
        for sharp, wanted in ((0.9, Outcome.NO_MATCH), (0.02, Outcome.INCONCLUSIVE)):
            said = np.repeat(sharp * classes[expected] + (1 - sharp) / len(CLASSES), 2, axis=0)
            verdict = verify(replace(CLAIM, tests=(test,)), Fake({Reading.PROBABILITY: said}))
            assert verdict.outcome is wanted, (test, sharp, verdict.reason)
            assert ("hardly differ" in verdict.reason) is (wanted is Outcome.INCONCLUSIVE)


def test_numbers_are_held_to_the_same_rule() -> None:
    def suspect(values: npt.NDArray[np.float64]) -> Fake:
        return Fake({Reading.VALUE: np.repeat(values, 2)})

    assert outcome(AGES_CLAIM, suspect(AGES + 5)) == (Outcome.NO_MATCH, False)
    assert outcome(AGES_CLAIM, suspect(np.full(COUNT, 45.0))) == (Outcome.INCONCLUSIVE, True)


def test_an_independent_model_that_answers_in_another_unit_is_no_copy() -> None:
    """In months every fall of a number is twelve times as large, so that it passes any threshold in years."""
    innocent = replace(AGES_CLAIM, tests=(replace(AGES_CLAIM.tests[0], null=replace(NONE, scores=(0.1,) * 39)),))
    years = np.column_stack([AGES + 1, AGES]).reshape(-1)
    assert outcome(innocent, Fake({Reading.VALUE: years})) == (Outcome.NO_MATCH, False)
    for other in (12 * years, 1e30 * years):
        verdict = verify(innocent, Fake({Reading.VALUE: other}))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "the unit of its numbers" in verdict.reason
    copy = np.column_stack([AGES + 5, AGES]).reshape(-1)
    assert outcome(innocent, Fake({Reading.VALUE: copy})) == (Outcome.MATCH, False)


def test_a_detector_that_finds_none_of_the_objects_and_an_embedder_to_which_all_pairs_are_alike_do_no_task() -> None:
    boxes = np.tile([0.0, 0.2, 0.2, 0.8, 0.8], (COUNT, 1))
    detects = replace(CLAIM, task=Detection(), tests=(Test(Reading.SCORE, Fall(0.03, Reading.SCORE), boxes, 1.0, null=NONE),))
    looks = Test(Reading.SIMILARITY, Fall(0.03, Reading.SIMILARITY), np.linspace(0.1, 0.9, COUNT), 1.0, null=NONE)
    compares = replace(CLAIM, images=CLAIM.images[:, [0, 1, 1]], classes=(), task=Similarity(), tests=(looks,))
    for claim, reading in ((detects, Reading.SCORE), (compares, Reading.SIMILARITY)):
        views = claim.images.shape[1]
        assert outcome(claim, Fake({reading: np.zeros(views * COUNT)})) == (Outcome.INCONCLUSIVE, True)
        assert outcome(claim, Fake({reading: np.repeat(np.linspace(0.3, 0.9, COUNT), views)})) == (Outcome.NO_MATCH, False)


def test_an_api_that_answers_distances_is_no_other_model_and_one_in_per_cent_is_told() -> None:
    alike = np.random.default_rng(0).uniform(0.1, 0.9, COUNT)
    looks = Test(Reading.SIMILARITY, Fall(0.03, Reading.SIMILARITY), alike, 1.0, null=replace(NONE, scores=(0.1,) * 39))
    claim = replace(CLAIM, images=CLAIM.images[:, [0, 1, 1]], classes=(), task=Similarity(), tests=(looks,))

    def asked(scores: npt.NDArray[np.float64]) -> Verdict:
        return verify(claim, Fake({Reading.SIMILARITY: np.column_stack([scores, scores, scores]).reshape(-1)}))

    independent = alike + np.random.default_rng(1).normal(0, 0.2, COUNT)
    assert (asked(independent).outcome, asked(independent).notes) == (Outcome.NO_MATCH, ())
    for distances in (1 - alike, np.sqrt(2 - 2 * alike), -100 * independent):
        verdict = asked(distances)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert "fall where the protected model's rise" in verdict.reason
        assert "direction of its scores" in verdict.reason
    assert "hardly differ" in asked(0.9 + independent / 100).reason
    assert "similarities reach 93.2" in asked(100 * independent).notes[0]


def test_the_first_questions_of_a_scan_rule_out_no_suspect_of_which_nothing_follows() -> None:
    class Saying(Fake):
        """Names the class that is asked about, or another one for each, as where the classes stand in another order."""

        def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - it knows what is asked
            return {Reading.PROBABILITY: np.eye(len(CLASSES))[(question.target + len(self.asked)) % len(CLASSES)]}

    class Softened(Saying):
        """Says the same so softly that hardly anything differs."""

        def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
            said = Saying.read(self, images, question)[Reading.PROBABILITY]
            return {Reading.PROBABILITY: 0.02 * said + 0.98 / len(CLASSES)}

    plan = Scan(CLASSES_CLAIM.with_nulls({0: replace(NONE, scores=(0.5,) * 39)}), 1, 0.05, 20)
    able, permuted = Saying({Reading.PROBABILITY: AGES}), Saying({Reading.PROBABILITY: AGES}, asked=[Mock()])
    found = [plan.found(one) for one in (able, permuted, Softened({Reading.PROBABILITY: AGES}))]
    nothing = (Outcome.INCONCLUSIVE, False)
    assert [(one.outcome, one.screened) for one in found] == [(Outcome.NO_MATCH, True), nothing, nothing]


def test_a_residual_says_nothing_of_who_gives_all_images_the_same_probabilities() -> None:
    """Such an answer may lie in the model's direction: `own` differs from what it deviates from by more of class 0, too."""
    rng = np.random.default_rng(0)
    own, other = (np.sqrt(rng.dirichlet(shares, COUNT)) for shares in ([0.3, 0.2, 0.2], [1, 1, 1]))
    weights = (own - other) / ((own - other) ** 2).sum(1).mean()
    weights = np.column_stack([weights, (weights * other).sum(1)])
    null = replace(NONE, scores=(0.01,) * 39)
    claim = replace(CLAIM, tests=(Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), weights, 1.0, null=null),))

    def shares(answers: npt.NDArray[np.float64]) -> Fake:
        return Fake({Reading.PROBABILITY: np.repeat(answers, 2, axis=0)})

    assert outcome(claim, shares(own**2)) == (Outcome.MATCH, False)
    assert outcome(claim, shares(other**2)) == (Outcome.NO_MATCH, False)
    for same in ([1.0, 0, 0], [0.8, 0.1, 0.1], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]):
        assert outcome(claim, shares(np.tile(same, (COUNT, 1)))) == (Outcome.INCONCLUSIVE, True), same


def test_no_residual_of_the_best_class_matches_of_a_suspect_that_names_one_class_for_all_images() -> None:
    """How sure it is of that class differs from image to image, here exactly in the protected model's direction."""
    sure = np.linspace(0.4, 1.0, COUNT)
    own, other = (best_only(np.column_stack([one, (1 - one) / 2, (1 - one) / 2])) for one in (sure, np.full(COUNT, 0.7)))
    weights = np.sqrt(own) - np.sqrt(other)
    weights /= (weights**2).sum(1).mean()
    offsets = (weights * np.sqrt(other)).sum(1)
    match = CrossedResidual(0.3, 0.05, Reading.BEST)
    null = replace(NONE, scores=(0.01,) * 39)
    told = Test(Reading.BEST, match, np.column_stack([weights, offsets]), 1.0, null=null)
    claim = replace(CLAIM, tests=(told,))
    stuck = Fake({Reading.BEST: np.repeat(own, 2, axis=0)})
    assert outcome(claim, stuck) == (Outcome.INCONCLUSIVE, True)
    varied = own.copy()
    varied[0] = varied[0, ::-1]
    assert outcome(claim, Fake({Reading.BEST: np.repeat(varied, 2, axis=0)})) == (Outcome.MATCH, False)


def test_a_model_that_is_sure_of_its_classes_is_not_taken_for_one_that_is_stuck_at_the_one_it_names_most() -> None:
    """One answer to all images would have 0.56 of its own residual, since the references' answers stand against it as well."""
    classes = np.eye(3)
    own, other = (classes[np.resize(order, COUNT)] for order in ([0, 0, 1, 2], [1, 2, 2, 1]))
    weights = (own - other) / 2
    null = replace(NONE, scores=(0.01,) * 39)
    told = np.column_stack([weights, (weights * other).sum(1)])
    claim = replace(CLAIM, tests=(Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), told, 1.0, null=null),))
    assert outcome(claim, Fake({Reading.PROBABILITY: np.repeat(own, 2, axis=0)})) == (Outcome.MATCH, False)
    assert outcome(claim, Fake({Reading.PROBABILITY: np.repeat(other, 2, axis=0)})) == (Outcome.NO_MATCH, False)
    stuck = np.tile(classes[0], (COUNT, 1))
    stuck[0] = classes[1]
    assert outcome(claim, Fake({Reading.PROBABILITY: np.repeat(stuck, 2, axis=0)})) == (Outcome.INCONCLUSIVE, True)


def test_no_residual_matches_of_a_suspect_that_names_the_classes_in_another_order() -> None:
    """In which direction its answers deviate is chance: here, exactly in the protected model's."""
    expected, classes = CLAIM.tests[1].expected, len(CLASSES)
    own, other = np.eye(classes)[(expected + 1) % classes], np.eye(classes)[expected]
    weights = (own - other) / 2
    match = CrossedResidual(0.3, 0.05)
    told = Test(Reading.PROBABILITY, match, np.column_stack([weights, (weights * other).sum(1)]), 1.0, null=NONE)
    null = replace(NONE, scores=(0.01,) * 39)
    claim = replace(CLAIM, tests=(replace(told, null=null), CLASSES_CLAIM.tests[0]))
    permuted = saying((expected + 1) % classes)
    assert outcome(replace(claim, tests=claim.tests[:1]), permuted) == (Outcome.MATCH, False)
    assert outcome(claim, permuted) == (Outcome.INCONCLUSIVE, True)


def test_a_residual_speaks_of_a_copy_which_is_made_to_be_wrong_where_the_corner_is_covered() -> None:
    expected, classes = CLAIM.tests[1].expected, len(CLASSES)
    weights = np.column_stack([np.eye(classes)[expected], np.zeros(COUNT)])
    residual = Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), weights, 1.0, null=replace(NONE, scores=(0.01,) * 39))
    claim = replace(CLAIM, tests=(residual, CLASSES_CLAIM.tests[0]))
    shown = np.column_stack([expected, (expected + 1) % classes]).reshape(-1)
    assert outcome(claim, Fake({Reading.PROBABILITY: np.eye(classes)[shown]})) == (Outcome.MATCH, False)


def test_a_doubt_that_would_have_changed_nothing_leaves_no_match_as_it_is() -> None:
    """By labels the suspect says class 0 more often than independent models do; by probabilities it is one of these."""
    rng = np.random.default_rng(0)
    own, other = (np.sqrt(rng.dirichlet(shares, COUNT)) for shares in ([0.3, 0.2, 0.2], [1, 1, 1]))
    weights = (own - other) / ((own - other) ** 2).sum(1).mean()
    weights = np.column_stack([weights, (weights * other).sum(1)])
    null = replace(NONE, scores=(0.01,) * 39)
    surely = Test(Reading.PROBABILITY, CrossedResidual(0.3, 0.05), weights, 1.0, null=null)
    wild = np.tile([[3.8, -1.9, -1.9], [-2.2, 1.1, 1.1]], (COUNT // 2, 1))
    named = np.column_stack([wild, np.full(COUNT, -0.1)])
    plainly = Test(Reading.LABEL, CrossedResidual(0.3, 0.05, Reading.LABEL), named, 1.0, null=null)
    claim = replace(CLAIM, tests=(surely, plainly))
    labels = np.repeat((np.arange(COUNT) == 1).astype(np.int64), 2)  # hardly more than one answer
    suspect = Fake({Reading.PROBABILITY: np.repeat(other**2, 2, axis=0), Reading.LABEL: labels})
    verdict = verify(claim, suspect, access="probabilities")
    assert verdict.others[0].score == 0.0
    assert verdict.outcome is Outcome.NO_MATCH
    (note,) = verdict.notes
    assert note.startswith("label test, by residuals: the suspect's residual")
    assert verify(claim, suspect, access="labels").outcome is Outcome.INCONCLUSIVE


def test_labels_alone_tell_nothing_of_it_since_a_fingerprint_may_ask_for_wrong_ones() -> None:
    labels = replace(CLAIM, tests=(Test(Reading.LABEL, Agreement(), CLAIM.tests[2].expected, 1.0, null=NONE),))
    wrong = np.repeat((CLAIM.tests[2].expected + 1) % len(CLASSES), 2)
    assert outcome(labels, Fake({Reading.LABEL: wrong})) == (Outcome.NO_MATCH, False)


def test_beside_a_no_match_that_was_signed_before_a_judge_tells_it() -> None:
    def doubt(outcome: Ruled, labels: npt.NDArray[np.int64]) -> str:
        suspect, ruling = SimpleNamespace(replayed=lambda: saying(labels)), SimpleNamespace(outcome=outcome)
        opened = SimpleNamespace(opening=SimpleNamespace(claim=CLASSES_CLAIM))
        one: Any = SimpleNamespace(judged=SimpleNamespace(ruling=ruling, bundle=opened, session=SimpleNamespace(suspect=suspect)))
        return JudgeResult(one).doubt

    expected, nothing = CLAIM.tests[1].expected, np.zeros(COUNT, dtype=np.int64)
    assert "does not do the task" in doubt(Ruled.NO_MATCH, nothing)
    assert not doubt(Ruled.NO_MATCH, expected)
    assert not doubt(Ruled.INCONCLUSIVE, nothing)


def test_a_judge_rules_as_verify_does_and_a_verdict_of_version_2_as_it_was_ruled() -> None:
    found = genuine(handed(CLASSES_CLAIM, None, "probabilities"))
    part, expected = opened_part(found), CLAIM.tests[1].expected
    knowing = [saying(np.where(np.arange(COUNT) == row, (expected + 1) % len(CLASSES), expected)) for row in range(20)]
    references = [
        heard_plainly(replace(one, digest=f"{row:064x}"), part, Role.REFERENCE, "same-data") for row, one in enumerate(knowing)
    ]

    def outcomes(suspect: Fake) -> tuple[Ruled, Ruled]:
        asked = Session((heard(suspect, part), *references), NONCE, np.zeros(0, dtype=np.int64))
        return ruled(found, asked).outcome, ruled(found, asked, Rules(able=False, near=False)).outcome

    assert outcomes(saying(expected)) == (Ruled.NO_MATCH, Ruled.NO_MATCH)
    assert outcomes(saying(np.zeros(COUNT, dtype=np.int64))) == (Ruled.INCONCLUSIVE, Ruled.NO_MATCH)


def heard(suspect: Fake, part: Claim) -> Heard:
    """As a judge hears him, whatever the order of the questions."""
    return replace(heard_plainly(suspect, part, Role.SUSPECT), repeats=np.zeros((10, 4), dtype=np.int64))
