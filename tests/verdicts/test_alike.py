"""Innocents that answer alike count once: clones, whatever their container, make no claim stronger."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from conftest import CLASSES, Fake, small_claim
from hypothesis import given
from hypothesis import strategies as st
from judging import NONCE, genuine, handed, judged, marked, reference
from sealing import fingerprint

from ownmark.claims.claim import Claim, Test
from ownmark.evidence.ruling import Session, Stratum, ruled
from ownmark.querying.transcript import AS_SEALED, Heard, Role
from ownmark.scoring.matches import Agreement, CrossedResidual
from ownmark.scoring.null_models import Innocents
from ownmark.scoring.readings import Answers, Reading, best_only
from ownmark.tasks import Similarity
from ownmark.verdicts import duplicates
from ownmark.verdicts.calibrate import calibrate, calibration
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify

COUNT, TRIALS, INNOCENTS = 40, 300, 19


def labels_claim(count: int = COUNT) -> Claim:
    test = Test(Reading.LABEL, Agreement(), np.zeros(count, dtype=np.int64), 1.0)
    images = np.random.default_rng(0).integers(0, 256, (count, 1, 2, 2, 3), dtype=np.uint8)
    return small_claim(images=images, tests=(test,), originals=None, maps=None)


def answering(rng: np.random.Generator, rate: float, count: int = COUNT) -> Answers:
    """A model that gives the expected class 0 at that rate."""
    shares = rng.dirichlet(np.ones(len(CLASSES)), count)
    hit = rng.random(count) < rate
    order = np.argsort(-shares, axis=1)
    top = np.take_along_axis(shares, order, axis=1)
    shares[hit, 0], shares[hit, 1:] = top[hit, 0], top[hit, 1:]
    return {Reading.LABEL: shares.argmax(axis=1).astype(np.int64), Reading.PROBABILITY: shares}


def clone(answers: Answers, noise: float, rng: np.random.Generator) -> Answers:
    """The same model in another container: its probabilities differ by rounding."""
    apart: npt.NDArray[np.float64] = answers[Reading.PROBABILITY] + rng.uniform(-noise, noise, answers[Reading.PROBABILITY].shape)
    return {**answers, Reading.PROBABILITY: apart}


def innocents(found: list[Answers]) -> list[Fake]:
    return [Fake(one, f"innocent {place}", f"{place:064}") for place, one in enumerate(found)]


def test_nineteen_clones_of_one_innocent_count_once_and_accuse_nobody() -> None:
    """Counted nineteen times, they reject 0.5 of the innocents at alpha 0.05: whoever scores above the one."""
    rng, claim, rejected, trusting = np.random.default_rng(1), labels_claim(), 0, 0
    for _ in range(TRIALS):
        one, suspect = answering(rng, 0.2), Fake(answering(rng, 0.2), "suspect")
        cloned = innocents([clone(one, 4e-4, rng) for _ in range(INNOCENTS)])
        made = calibration(claim, cloned)
        assert made.groups == (tuple(f"innocent {place}" for place in range(INNOCENTS)),)
        rejected += verify(made.claim, suspect, alpha=0.05).outcome is Outcome.MATCH
        rates = [float((model[Reading.LABEL] == 0).mean()) for model in (one, suspect.answers)]
        counted = Innocents((rates[0],) * INNOCENTS, tuple(f"{place}" for place in range(INNOCENTS)))
        trusting += counted.p_value(rates[1]) <= 0.05
    assert rejected == 0
    assert trusting > 0.3 * TRIALS


def test_models_that_differ_count_each_and_a_group_has_its_highest_score() -> None:
    rng, claim = np.random.default_rng(2), labels_claim()
    found = [answering(rng, 0.2) for _ in range(4)]
    null = calibrate(claim, innocents(found)).tests[0].null
    assert isinstance(null, Innocents)
    assert len(null.scores) == 4
    near = clone(found[0], 4e-4, rng)
    higher = {**near, Reading.LABEL: np.zeros(COUNT, dtype=np.int64)}
    made = calibration(claim, innocents([*found, higher]))
    assert made.groups[0] == ("innocent 0", "innocent 4")
    merged = made.claim.tests[0].null
    assert isinstance(merged, Innocents)
    assert merged.scores == (1.0, *null.scores[1:])
    assert merged.models == null.models


@pytest.mark.parametrize(("count", "same"), [(duplicates.MANY, False), (duplicates.MANY + 1, True)])
def test_labels_alone_show_a_clone_only_where_there_are_many(*, count: int, same: bool) -> None:
    labels = np.random.default_rng(3).integers(0, 3, count)
    told = {Reading.LABEL: labels}
    assert duplicates.alike(told, {Reading.LABEL: labels.copy()}) == same
    assert not duplicates.alike(told, {Reading.LABEL: 2 - labels})


def test_numbers_decide_where_they_are_told_and_another_reading_is_no_likeness() -> None:
    labels, shares = np.zeros(300, dtype=np.int64), np.full((300, 3), 1 / 3)
    first = {Reading.LABEL: labels, Reading.PROBABILITY: shares}
    assert not duplicates.alike(first, {**first, Reading.PROBABILITY: shares + 2e-3})
    assert duplicates.alike(first, {**first, Reading.PROBABILITY: shares + 9e-4})
    assert not duplicates.alike({Reading.LABEL: labels}, {Reading.PROBABILITY: shares})
    ages = np.linspace(0, 90, 300)
    assert duplicates.alike({Reading.VALUE: ages}, {Reading.VALUE: ages + 0.05})
    assert not duplicates.alike({Reading.VALUE: ages}, {Reading.VALUE: ages + 0.5})


def test_a_clone_is_one_whichever_of_two_nearly_equal_classes_rounding_makes_its_best_and_however_it_is_asked() -> None:
    first, second = np.array([[0.40002, 0.40001, 0.19997]]), np.array([[0.40001, 0.40002, 0.19997]])
    told: list[Answers] = [{Reading.PROBABILITY: one, Reading.BEST: best_only(one)} for one in (first, second)]
    assert duplicates.alike(*told)
    assert duplicates.alike({Reading.BEST: best_only(first)}, {Reading.PROBABILITY: first})
    assert not duplicates.alike({Reading.BEST: best_only(first)}, {Reading.PROBABILITY: first[:, ::-1]})


def test_an_embedder_whose_space_is_turned_or_stretched_is_the_same_and_another_is_not() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.normal(size=(2, 30, 8))
    turned = [2.5 * one @ np.linalg.qr(rng.normal(size=(8, 8)))[0] for _ in range(3)]
    assert duplicates.groups([{Reading.EMBEDDING: found} for found in (*turned, other)]) == ((0, 1, 2), (3,))


def test_embedders_that_are_asked_about_several_views_of_each_sample_calibrate_a_claim() -> None:
    """As every claim of residuals asks them, where clones are to be known."""
    rng, size = np.random.default_rng(6), 8
    match = CrossedResidual(0.3, 0.05, Reading.EMBEDDING, views=3)
    test = Test(Reading.EMBEDDING, match, rng.normal(size=(COUNT, 3 * (3 * COUNT + 1))), 1.0)
    plain = small_claim(COUNT)
    claim = replace(plain, images=plain.images[:, [0, 1, 1]], classes=(), task=Similarity(), tests=(test,))
    one, other = rng.normal(size=(2, 3 * COUNT, size))
    turned = one @ np.linalg.qr(rng.normal(size=(size, size)))[0]
    found = calibration(claim, innocents([{Reading.EMBEDDING: rows} for rows in (one, other, turned)]))
    assert found.groups == (("innocent 0", "innocent 2"), ("innocent 1",))


@pytest.mark.parametrize("reading", [Reading.LABEL, Reading.SALIENCY])
def test_clones_are_known_by_their_probabilities_where_a_claim_asks_for_none(reading: Reading) -> None:
    rng, claim = np.random.default_rng(5), small_claim(COUNT)
    claim = replace(claim, tests=tuple(test for test in claim.tests if test.reading is reading))
    one = answering(rng, 0.5, 2 * COUNT)
    maps: Answers = {Reading.SALIENCY: rng.random((2 * COUNT, 2, 2))}
    cloned = innocents([{**clone(one, 4e-4, rng), **maps} for _ in range(3)])
    assert calibration(claim, cloned).groups == (("innocent 0", "innocent 1", "innocent 2"),)


@given(st.lists(st.floats(0, 0.01), min_size=1, max_size=9))
def test_groups_are_the_chains_of_those_that_are_near(places: list[float]) -> None:
    answers: list[Answers] = [{Reading.PROBABILITY: np.array([[place, 1 - place]])} for place in places]
    found = duplicates.groups(answers)
    assert sorted(place for group in found for place in group) == list(range(len(places)))
    for first in found:
        for second in found:
            if first is not second:
                assert not any(duplicates.alike(answers[one], answers[other]) for one in first for other in second)


def test_a_judges_clones_count_once_and_the_verdict_names_them() -> None:
    part = fingerprint()
    rng = np.random.default_rng(5)
    views = part.images.shape[0] * part.images.shape[1]

    def heard(role: Role, name: str, shares: npt.NDArray[np.float64]) -> Heard:
        given: Answers = {Reading.LABEL: shares.argmax(axis=1).astype(np.int64), Reading.PROBABILITY: shares}
        nothing = np.zeros(0, dtype=np.int64)
        stratum = Stratum.SAME_DATA if role is Role.REFERENCE else ""
        told = (role, stratum, name, f"{abs(hash(name)):064}"[:64])
        return Heard(*told, {AS_SEALED: given}, np.ones(views, dtype=np.bool_), nothing, nothing.reshape(0, 3))

    def drawn() -> npt.NDArray[np.float64]:
        return rng.dirichlet(np.ones(len(part.classes)), views)

    suspect, one, other = heard(Role.SUSPECT, "suspect", drawn()), drawn(), drawn()
    clones = [heard(Role.REFERENCE, f"clone {place}", one + 1e-4 * place) for place in range(5)]
    session = Session((suspect, *clones, heard(Role.REFERENCE, "other", other)), NONCE, np.zeros(0, dtype=np.int64))
    found = ruled(genuine(handed(part, None)), session)
    told = {step.name: step.told for step in found.steps}
    assert "among 2 same-data" in told["J7 main test"]
    assert "clone 0, clone 1, clone 2, clone 3, clone 4 answer alike and count once" in told["J8 references"]


def test_a_strong_verdict_without_references_does_not_claim_that_none_is_as_good() -> None:
    known = genuine(handed())
    assert known.part is not None
    alone = judged(marked(known.part))
    assert alone.reason.startswith("p is not above alpha, every step was taken, and there were no references to compare with; 0 ")
    compared = judged(marked(known.part), references=(reference(known.part, 1),))
    assert compared.reason.startswith("p is not above alpha, every step was taken, and no reference is as good; 1 ")
