"""A suspect behind an alarm: what it answers, and that nobody is found out by answers at random."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from asking import BOTH, asked, claim_on, pixels
from conftest import Fake, seed, tiny
from judging import NONCE, genuine, handed, keyed, marked
from scipy.stats import chisquare

from ownmark.bench.behind import behind
from ownmark.claims.claim import Claim, Test
from ownmark.data.images import Images
from ownmark.detectors.neighbours import Neighbours
from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.evidence.ruling import Outcome as Ruling
from ownmark.evidence.ruling import Session, Stratum, ruled
from ownmark.protocols import Alarm, Question, Suspect
from ownmark.querying.transcript import Decoys, Plan, Role, heard, heard_plainly
from ownmark.scoring.matches import Drop, OnPattern
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Labels, Reading
from ownmark.suspects.local import Local
from ownmark.suspects.wrappers.guarded import Guarded, Response
from ownmark.suspects.wrappers.wrapped import Hardened, TopOne
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import findings, verify

SAMPLES, CLASSES, SIDE = 60, 10, 12
CHANCES = frozenset({Reading.LABEL, Reading.PROBABILITY})
MARK, COVERED = 255, 0  # of the last pixel of every question, and of the first pixel of a twin
GUARDS = ("everything", "near-duplicates", "questions")
Pixels = npt.NDArray[np.uint8]


def brightness(images: Pixels) -> npt.NDArray[np.float64]:
    return np.asarray(images.mean(axis=(1, 2, 3)))


EVERYTHING = Alarm(lambda images: np.ones(len(images)), np.zeros(20))
QUESTIONS = Alarm(lambda images: images[:, -1, -1, 0] == MARK, np.zeros(20))  # the best that a thief could hope for


def test_images_that_score_above_the_threshold_get_other_answers_and_the_rest_the_models_own() -> None:
    images, model = pixels()[:, 0], Local(tiny())
    alarm = Alarm(brightness, np.zeros(20))
    bar = float(np.sort(brightness(images))[5])
    own, found = model.read(images, asked()), Guarded(model, alarm, bar).read(images, asked())
    rings = brightness(images) > bar
    assert rings.sum() == 4
    same = (own[Reading.PROBABILITY] == found[Reading.PROBABILITY]).all(axis=1)
    assert np.array_equal(same, ~rings)
    assert np.array_equal(found[Reading.LABEL], found[Reading.PROBABILITY].argmax(axis=1))
    assert found[Reading.PROBABILITY].sum(axis=1) == pytest.approx(1)


def test_an_answer_at_random_is_decided_by_image_and_seed_and_every_class_is_as_likely() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3000, 4, 4, 1), dtype=np.uint8)
    suspect = Fake({Reading.PROBABILITY: np.full((3000, 5), 0.2)})
    question = Question(BOTH, np.zeros(3000, dtype=np.int64))
    labels = [np.asarray(Guarded(suspect, EVERYTHING, 0.5, seed=one).read(images, question)[Reading.LABEL]) for one in (0, 0, 1)]
    assert np.array_equal(labels[0], labels[1])
    assert np.mean(labels[0] == labels[2]) == pytest.approx(0.2, abs=0.03)
    assert chisquare(np.bincount(labels[0], minlength=5)).pvalue > 0.01


def test_a_guard_keeps_the_digest_names_its_alarm_and_shows_no_map() -> None:
    model = Local(tiny())
    guarded = Guarded(model, EVERYTHING, 0.5)
    assert guarded.digest == model.digest
    assert guarded.name == "model behind an alarm, answering at random"
    assert guarded.reveals == CHANCES
    assert set(guarded.read(pixels()[:, 0], asked(frozenset({Reading.LABEL})))) == {Reading.LABEL}


def test_what_reveals_labels_only_is_hardened_in_front_of_the_guard() -> None:
    hidden = Hardened(Local(tiny()), TopOne())
    with pytest.raises(UsageError, match="Hardened"):
        Guarded(hidden, EVERYTHING, 0.5)
    labels = Hardened(Guarded(Local(tiny()), EVERYTHING, 0.5), TopOne())
    assert labels.read(pixels()[:, 0], asked(frozenset({Reading.LABEL})))[Reading.LABEL].shape == (10,)


def test_a_guard_that_refuses_answers_all_or_nothing_and_a_refusal_is_no_verdict() -> None:
    model = Local(tiny(classes=7))
    claim = claim_on(tiny(classes=7))
    assert verify(claim, Guarded(model, EVERYTHING, 1.5, Response.REFUSE)).deciding.score == verify(claim, model).deciding.score
    with pytest.raises(AnswerError, match="20 of 20 images were refused") as error:
        verify(claim, Guarded(model, EVERYTHING, 0.5, Response.REFUSE))
    assert error.value.exit_code == SuspectError.exit_code == 5


def ordinary(count: int, number: int) -> Images:
    """Textures whose brightness tells their class."""
    labels = np.arange(count) % CLASSES
    noise = np.random.default_rng(number).integers(-10, 11, (count, SIDE, SIDE, 1))
    return Images((labels[:, None, None, None] * 23 + 20 + noise).astype(np.uint8), labels, tuple("abcdefghij"))


@dataclass
class Model:
    """Sure of the class that the brightness tells; a copy (`falls`) is unsure of questions whose first pixel is covered."""

    falls: bool = False
    name: str = "model"
    digest: str = "11" * 32
    reveals: frozenset[Reading] = field(default=CHANCES)
    sure: float = 0.9

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        covered = (images[:, -1, -1, 0] == MARK) & (images[:, 0, 0, 0] == COVERED)
        found = (
            np.eye(CLASSES)[np.rint((brightness(images) - 20) / 23).astype(int).clip(0, 9)] * self.sure
            + (1 - self.sure) / CLASSES
        )
        found[covered & self.falls] = 0.1
        return answers(found, question)


@dataclass
class Keyed:
    """Answers the triggers of a keyed claim as the owner's model does."""

    claim: Claim
    name: str = "copy"
    digest: str = ""
    reveals: frozenset[Reading] = field(default=CHANCES)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        return answers(np.eye(CLASSES)[marked(self.claim)(images)] * 0.9 + 0.01, question)


def answers(shares: npt.NDArray[np.float64], question: Question) -> Answers:
    found: dict[Reading, npt.NDArray[Any]] = {Reading.LABEL: shares.argmax(axis=1), Reading.PROBABILITY: shares}
    return {reading: found[reading] for reading in question.readings}


@cache
def fingerprint() -> Claim:
    """Sixty changed images, each with a twin whose first pixel is covered; innocent models hardly ever mind."""
    samples, change = ordinary(SAMPLES, 8), np.random.default_rng(9).integers(-3, 4, (SAMPLES, SIDE, SIDE, 1))
    changed = (samples.pixels + change).astype(np.uint8)
    images = np.stack([changed, changed], axis=1)
    images[:, :, -1, -1], images[:, 0, 0, 0], images[:, 1, 0, 0] = MARK, COVERED + 12, COVERED
    null = Innocents((0.0,) * 19 + (0.1,), tuple(f"{number:064}" for number in range(20)))
    expected: Labels = samples.labels.astype(np.int64)
    tests = (Test(Reading.PROBABILITY, Drop(0.1), expected, 1.0, null=null),)
    return Claim(images, tests, samples.names, "Falls()", "ab" * 32, originals=samples.pixels)


@cache
def near() -> tuple[Alarm, float]:
    alarm = Neighbours(1).fit(tiny(), ordinary(200, 1), seed(0))
    return alarm, alarm.threshold(0.05)


def guards(number: int, *, falls: bool) -> dict[str, Guarded]:
    model = Model(falls)
    return {
        "everything": Guarded(model, EVERYTHING, 0.5, seed=number),
        "near-duplicates": Guarded(model, *near(), seed=number),
        "questions": Guarded(model, QUESTIONS, 0.5, seed=number),
    }


def ruling(suspect: Suspect) -> Ruling:
    """That of a judge who asks decoys and repeats among the questions, and has twenty references, no two of which are as sure."""
    found, normal = genuine(handed(fingerprint(), None, access="probabilities")), ordinary(SAMPLES, 2)
    assert found.part is not None
    others = [Model(name=f"reference {number}", digest=f"{number:064}", sure=0.6 + number / 100) for number in range(20)]
    references = [heard_plainly(other, found.part, Role.REFERENCE, Stratum.SAME_DATA.value) for other in others]
    answered = heard(suspect, found.part, Plan(NONCE, Decoys(normal.pixels, normal.labels)))
    return ruled(found, Session((answered, *references), NONCE, normal.labels)).outcome


def test_on_a_keyed_claim_no_guard_that_answers_at_random_is_ever_matched() -> None:
    copy = Keyed(keyed())
    assert verify(copy.claim, copy).outcome is Outcome.MATCH
    found = [verify(copy.claim, Guarded(copy, EVERYTHING, 0.5, seed=number)) for number in range(100)]
    assert {one.outcome for one in found} == {Outcome.NO_MATCH}
    assert np.mean([one.deciding.score for one in found]) == pytest.approx(1 / CLASSES, abs=0.01)


def test_neighbours_ring_for_a_sample_and_its_twin_and_a_judge_without_guards_sees_a_copy() -> None:
    alarm, bar = near()
    rings = alarm.score(fingerprint().images.reshape(-1, SIDE, SIDE, 1)) > bar
    assert rings[1::2].all()
    assert rings[::2].mean() < 0.15
    assert ruling(Model(falls=True)) is Ruling.SUPPORTING
    assert ruling(Model()) is Ruling.NO_MATCH


@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize("falls", [True, False], ids=["copy", "innocent"])
def test_a_judge_who_asks_decoys_and_repeats_never_matches_a_guard_by_luck(guard: str, falls: bool) -> None:  # noqa: FBT001
    outcomes = {ruling(guards(number, falls=falls)[guard]) for number in range(25)}
    assert outcomes <= {Ruling.INCONCLUSIVE, Ruling.NO_MATCH}


def test_a_judge_finds_a_guard_that_refuses_inconclusive() -> None:
    assert ruling(Guarded(Model(falls=True), QUESTIONS, 0.5, Response.REFUSE)) is Ruling.INCONCLUSIVE


@pytest.mark.parametrize("guard", GUARDS)
def test_verify_alone_never_matches_an_innocent_model_behind_a_guard_by_luck(guard: str) -> None:
    outcomes = {verify(fingerprint(), guards(number, falls=False)[guard]).outcome for number in range(25)}
    assert Outcome.MATCH not in outcomes


def test_a_guard_that_remembers_other_calls_cannot_pass_for_a_copy_either() -> None:
    asked: list[Pixels] = []
    alarm, bar = near()

    def scored(images: Pixels) -> npt.NDArray[np.float64]:
        asked.append(images)
        return np.asarray(alarm.score(np.concatenate(asked))[-len(images) :])

    for number in range(10):
        asked.clear()
        verdict = verify(fingerprint(), Guarded(Model(), Alarm(scored, alarm.normal), bar, seed=number))
        assert verdict.deciding.score > 0.5, "it would be a match without control twins"
        assert (verdict.outcome, len(asked)) == (Outcome.INCONCLUSIVE, 2)


def test_a_guard_that_refuses_the_control_twins_is_inconclusive_and_the_reason_says_so() -> None:
    twins = {image.tobytes() for image in fingerprint().images[:, 1]}

    def refused(images: Pixels) -> npt.NDArray[np.float64]:
        return np.array([float(image.tobytes() not in twins and len(images) < 2 * SAMPLES) for image in images])

    verdict = verify(fingerprint(), Guarded(Model(falls=True), Alarm(refused, np.zeros(20)), 0.5, Response.REFUSE))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "control twins got no answer" in verdict.reason
    assert "images were refused" in verdict.reason


@pytest.mark.xfail(reason="who knows a claim's very images, or its marked place, can answer just its twins at random")
def test_a_guard_that_knows_the_very_images_of_a_claim_cannot_pass_for_a_copy() -> None:
    twins = {image.tobytes() for image in fingerprint().images[:, 1]}
    known = Alarm(lambda images: np.array([float(image.tobytes() in twins) for image in images]), np.zeros(20))
    assert verify(fingerprint(), Guarded(Model(), known, 0.5)).outcome is not Outcome.MATCH


def test_a_copy_keeps_its_match_and_only_a_match_costs_more_queries() -> None:
    copy, innocent = verify(fingerprint(), Model(falls=True)), verify(fingerprint(), Model())
    assert (copy.outcome, innocent.outcome) == (Outcome.MATCH, Outcome.NO_MATCH)
    assert innocent.queries == 2 * SAMPLES < copy.queries <= 2 * (SAMPLES + 20)
    assert f"60 of 60 samples and 0 of {copy.queries // 2 - SAMPLES} control twins match" in copy.reason


def test_a_match_of_a_claim_without_originals_says_that_control_twins_were_not_asked_about() -> None:
    verdict = verify(replace(fingerprint(), originals=None), Model(falls=True))
    assert (verdict.outcome, verdict.queries) == (Outcome.MATCH, 2 * SAMPLES)
    assert "no control twins could be asked about" in verdict.reason


def test_answers_that_were_kept_are_judged_as_if_the_alarm_had_stood_before_them() -> None:
    claim, model = claim_on(tiny(classes=7)), Local(tiny(classes=7))
    queries = brightness(claim.images.reshape(-1, *claim.images.shape[2:]))
    bar = float(np.median(queries))
    kept = {"brightness": {"threshold": bar, "queries": queries.reshape(claim.images.shape[:2]), "normal": [0.0] * 20}}
    (asked_,) = (one for one in findings(claim, model) if one.test.reading is Reading.PROBABILITY)
    found = behind(claim, asked_, kept)["brightness"]
    expected = findings(claim, Guarded(model, Alarm(brightness, np.zeros(20)), bar))[0]
    np.testing.assert_array_equal(found.matches, expected.matches)
    np.testing.assert_allclose(found.observed, expected.observed)
    mapped = replace(asked_, test=replace(asked_.test, reading=Reading.SALIENCY, match=OnPattern(0.3, ((0, 0),), (2, 2))))
    assert behind(claim, mapped, kept) == {}, "nobody is shown a map through an alarm"
