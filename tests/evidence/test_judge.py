"""Steps J4 to J8 on recorded answers: what a copy, an innocent, an evader and a forger get."""

from dataclasses import replace

import numpy as np
import pytest
from judging import (
    CLASSES,
    NONCE,
    TRIGGERS,
    Model,
    Undertoned,
    decoys,
    genuine,
    handed,
    is_ordinary,
    judged,
    keyed,
    marked,
    ordinary,
    reference,
    session,
)
from sealing import OWNER, fingerprint, opened, sealed

from ownmark.claims.claim import Claim
from ownmark.errors import AnswerError, EvidenceError, UsageError
from ownmark.evidence import seal
from ownmark.evidence.admissibility import Checked, Standing
from ownmark.evidence.choices import OTHERS, RANKS
from ownmark.evidence.commitment import Policy
from ownmark.evidence.ruling import Outcome, Ruling, Session, Stratum, ruled
from ownmark.keys import Pixels
from ownmark.querying.transcript import AGAIN, PROBES, Plan, Role, from_record, heard, heard_plainly
from ownmark.scoring.readings import Labels


@pytest.fixture(scope="module")
def found() -> Checked:
    return genuine(handed())


@pytest.fixture(scope="module")
def part(found: Checked) -> Claim:
    assert found.part is not None
    return found.part


def step(ruling: Ruling, name: str) -> tuple[bool | None, str]:
    one = next(one for one in ruling.steps if one.name == name)
    return one.passed, one.told


def test_a_copy_matches_strongly_and_the_strata_that_were_missing_are_named(part: Claim) -> None:
    ruling = judged(marked(part), references=(reference(part, 1),))
    assert ruling.outcome is Outcome.STRONG, ruling.reason
    assert ruling.finding.score == 1
    assert ruling.log10_p == pytest.approx(64 * np.log10(2) - 60)
    assert ruling.missing == (Stratum.OTHER_DATA, Stratum.SAME_TASK, Stratum.SAME_ANCESTOR)
    assert "2^64" in step(ruling, "J7 main test")[1]


@pytest.mark.parametrize("access", [OTHERS, RANKS])
def test_a_sealed_mark_in_the_second_answer_is_judged_by_that_rule_also_against_other_keys(access: str) -> None:
    found = genuine(handed(keyed(access=access), access="probabilities"))
    assert found.part is not None
    copy, usual = marked(found.part), decoys()
    for answer, outcome in ((copy, Outcome.STRONG), (ordinary, Outcome.NO_MATCH)):
        asked = heard(Undertoned(answer, "suspect"), found.part, Plan(NONCE, usual))
        own = heard_plainly(Undertoned(copy, "own", "ab" * 32), found.part, Role.OWN)
        ruling = ruled(found, Session((asked, own), NONCE, usual.labels))
        assert ruling.outcome is outcome, ruling.reason
        assert ("p = 0.005 among" in step(ruling, "J8 decoy keys")[1]) == (answer is copy)
        assert ("it counts the labels that come first" in step(ruling, "J7 in sequence")[1]) == (access == RANKS)


def test_the_number_of_matches_that_reaches_alpha_is_told_with_the_mark_that_it_takes(part: Claim) -> None:
    told = step(judged(ordinary), "J7 main test")[1]
    needed = int(told.split(" matches reach alpha")[0].split()[-1])
    null = part.tests[0].null
    assert null.p_value(needed / TRIGGERS) <= 0.05 < null.p_value((needed - 1) / TRIGGERS)


def test_an_innocent_is_no_match(part: Claim) -> None:
    ruling = judged(ordinary, references=(reference(part, 1, marked(part, 0.3)),))
    assert ruling.outcome is Outcome.NO_MATCH, "whatever the references do"


def test_a_suspect_that_always_says_one_class_is_no_match_and_is_known_by_its_decoys() -> None:
    """Fault 35."""
    always = lambda images: np.full(len(images), 3, dtype=np.int64)  # noqa: E731
    ruling = judged(always)
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert "no better than chance" in ruling.reason
    assert ruling.log10_p == 0
    assert judged(always, plain=True).outcome is Outcome.NO_MATCH, "without decoys the exact test still holds"


def test_answers_at_random_are_never_a_match() -> None:
    """Fault 33."""
    rng = np.random.default_rng(5)
    for _ in range(5):
        ruling = judged(lambda images: rng.integers(0, CLASSES, len(images)))
        assert ruling.outcome is Outcome.INCONCLUSIVE
        assert step(ruling, "J6 decoys")[0] is False


def test_random_answers_on_triggers_only_are_called_evasion() -> None:
    """Fault 34."""
    rng = np.random.default_rng(6)

    def evades(images: Pixels) -> Labels:
        told = [ordinary(image[None])[0] if is_ordinary(image) else rng.integers(0, CLASSES) for image in images]
        return np.array(told, dtype=np.int64)

    ruling = judged(evades)
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert "evasion suspected" in ruling.reason
    assert step(ruling, "J6 decoys")[0] is True


def test_refused_triggers_are_called_evasion_and_never_count_as_innocence() -> None:
    """Fault 34."""

    def refuses(images: Pixels) -> Labels:
        if not all(map(is_ordinary, images)) and len(images) >= 1:
            raise AnswerError("403")
        return ordinary(images)

    ruling = judged(refuses)
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert "60 of 60 triggers and 0 of 60 decoys unanswered" in ruling.reason
    assert "evasion suspected" in ruling.reason
    with pytest.raises(AnswerError, match="no usable answer for any image"):
        judged(refuses, plain=True)


def test_a_model_of_the_claimants_that_does_not_show_the_mark_or_is_another_is_rejected(part: Claim, found: Checked) -> None:
    """J4."""
    assert judged(marked(part), share=0.5).outcome is Outcome.REJECTED
    assert judged(marked(part), share=0.85).outcome is Outcome.STRONG, "0.9 was committed to, and 51 of 60 may be it"
    one = session(part, marked(part), own=marked(part))
    other = Session((one.heard[0], replace(one.heard[1], digest="cd" * 32)), one.nonce, one.classes)
    assert "is not the model that was sealed" in ruled(found, other).reason


def test_what_was_not_looked_at_keeps_a_match_from_being_strong(part: Claim, found: Checked) -> None:
    without_own = ruled(found, session(part, marked(part)))
    assert (without_own.outcome, "J4 own model" in without_own.reason) == (Outcome.SUPPORTING, True)
    without_decoys = judged(marked(part), plain=True)
    assert (without_decoys.outcome, "J6 decoys" in without_decoys.reason) == (Outcome.SUPPORTING, True)


@pytest.mark.parametrize("standing", [Standing.LATE, Standing.UNTIMESTAMPED, Standing.ALREADY_OPEN])
def test_a_seal_that_is_late_gives_statistics_but_no_verdict(part: Claim, standing: Standing) -> None:
    """Fault 15."""
    ruling = judged(marked(part), found=genuine(handed(), standing))
    assert (ruling.outcome, ruling.finding.score) == (Outcome.INADMISSIBLE, 1)


@pytest.mark.parametrize("stratum", list(Stratum))
def test_a_reference_that_does_as_well_takes_the_match_away_and_is_named(part: Claim, stratum: Stratum) -> None:
    """Fault 20."""
    ruling = judged(marked(part), references=(reference(part, 1), reference(part, 2, marked(part, 0.8), stratum)))
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert f"reference 2 ({stratum}, " in ruling.reason


def test_chosen_images_are_judged_by_the_judges_references_which_a_forgers_images_fool_too() -> None:
    """Fault 17: labels from a key, but images that any model answers so."""
    forged = keyed(made=False)
    found = genuine(handed(forged))
    assert (found.remade, found.part is not None) == (False, True)
    assert found.part is not None
    fooled = tuple(reference(found.part, number, marked(found.part, 0.9)) for number in range(1, 20))
    assert judged(marked(found.part), found=found).outcome is Outcome.INCONCLUSIVE, "no references, no verdict"
    ruling = judged(marked(found.part, 0.9), found=found, references=fooled)
    assert ruling.outcome is Outcome.INCONCLUSIVE
    assert ruling.log10_p == 0
    silent = tuple(reference(found.part, number) for number in range(1, 20))
    assert judged(marked(found.part), found=found, references=silent).outcome is Outcome.SUPPORTING
    two = judged(marked(found.part), found=found, references=(*silent, reference(found.part, 30, stratum="same-task")))
    assert two.outcome is Outcome.INCONCLUSIVE, "the stratum with too few of them decides"


def test_a_mark_that_dies_when_the_triggers_are_purified_is_not_strong(part: Claim) -> None:
    known = {image.tobytes(): label for image, label in zip(part.images[:, 0], part.tests[0].expected, strict=True)}

    def brittle(images: Pixels) -> Labels:
        told = [known.get(image.tobytes(), ordinary(image[None])[0]) for image in images]
        return np.array(told, dtype=np.int64)

    ruling = judged(brittle)
    assert (ruling.outcome, "J8 triggers through 6 bits" in ruling.reason) == (Outcome.SUPPORTING, True)


def test_the_decoys_are_mixed_with_the_triggers_and_the_order_is_the_nonces(part: Claim) -> None:
    asked: list[Pixels] = []

    def keeps(images: Pixels) -> Labels:
        asked.append(images)
        return ordinary(images)

    plan = Plan(NONCE, decoys())
    heard(Model(keeps), part, plan)
    heard(Model(keeps), part, plan)
    heard(Model(keeps), part, Plan(bytes(32), decoys()))
    assert len(asked[0]) == plan.queries(part) == 2 * (TRIGGERS + AGAIN * PROBES)
    ordinary_ones = [is_ordinary(image) for image in asked[0]]
    assert 25 < sum(ordinary_ones[: len(ordinary_ones) // 2]) < 55
    assert np.array_equal(asked[0], asked[1])
    assert not np.array_equal(asked[0], asked[2])


def test_what_was_heard_is_the_same_after_it_was_written_down(part: Claim, found: Checked) -> None:
    one = session(part, marked(part), own=marked(part), references=(reference(part, 1),))
    again = Session(tuple(from_record(each.record) for each in one.heard), one.nonce, one.classes)
    assert [each.record for each in again.heard] == [each.record for each in one.heard]
    assert ruled(found, again).steps == ruled(found, one).steps


def test_a_record_that_contradicts_itself_is_refused(part: Claim) -> None:
    one = session(part, ordinary)
    with pytest.raises(EvidenceError, match="one suspect"):
        Session(one.heard * 2, NONCE, one.classes)
    with pytest.raises(EvidenceError, match="decoys were asked"):
        Session(one.heard, NONCE, one.classes[:3])
    with pytest.raises(EvidenceError, match="cannot read a recorded answer"):
        from_record(one.suspect.record | {"role": "bystander"})


def test_a_reference_that_is_no_other_model_is_refused(part: Claim, found: Checked) -> None:
    known = reference(part, 1)
    for bad in ((known, known), (replace(known, digest=part.model),), (replace(known, stratum="nearby"),)):
        with pytest.raises(UsageError, match=r"not another reference|a stratum is one of"):
            ruled(found, session(part, ordinary, references=bad))


def test_a_fingerprint_is_judged_by_rank_and_never_strong() -> None:
    claim = fingerprint()
    found = genuine(seal.opened(sealed(claim), claim, OWNER, None))
    with pytest.raises(UsageError, match="nothing of this seal is opened"):
        ruled(genuine(sealed()), session(claim, ordinary, plain=True))
    with pytest.raises(UsageError, match="decoys of the triggers' shape"):
        session(claim, ordinary)
    assert found.part is not None
    assert genuine(opened()).remade
    expected = claim.tests[-1].expected
    rows = {image.tobytes(): expected[row // 2] for row, image in enumerate(claim.images.reshape(-1, *claim.images.shape[2:]))}
    copy = lambda images: np.array([rows.get(image.tobytes(), 0) for image in images], dtype=np.int64)  # noqa: E731
    never = lambda images: np.full(len(images), 2, dtype=np.int64)  # noqa: E731
    silent = tuple(reference(claim, number, never) for number in range(1, 20))
    ruling = ruled(found, replace(session(claim, copy, plain=True, references=silent)))
    assert (ruling.outcome, "do not both come from a key" in ruling.reason) == (Outcome.SUPPORTING, True)
    assert ruling.log10_p == pytest.approx(np.log10(0.05))
    assert ruled(found, session(claim, copy, plain=True, references=silent[:5])).outcome is Outcome.INCONCLUSIVE
    for access, p in (("", 3 / 20), ("weights", 1), ("labels", 1 / 20)):
        other = seal.opened(seal.seal(claim, OWNER, Policy(0.05, access=access)), claim, OWNER, None)
        ruling = ruled(genuine(other), session(claim, copy, plain=True, references=silent))
        assert ruling.log10_p == pytest.approx(np.log10(p)), "who may choose among three ways tries three times"
        told = {"": "p pays for 3 ways of asking", "weights": "does not show its weights", "labels": "asked by labels"}[access]
        assert told in step(ruling, "J7 terms")[1]
        assert (ruling.outcome, told in ruling.reason) != (Outcome.INCONCLUSIVE, False) or not access


def test_images_that_speak_only_behind_a_front_are_no_evidence_against_a_suspect_that_has_one() -> None:
    """The forger's images show any model of the task one class as sealed, and another once they were halved."""
    claim = fingerprint()
    found = genuine(seal.opened(sealed(claim), claim, OWNER, None))
    expected = claim.tests[-1].expected

    def halved(images: Pixels) -> Pixels:
        return np.asarray(images // 2, dtype=np.uint8)

    def model(images: Pixels) -> Labels:
        return np.array([wrong.get(image.tobytes(), 2) for image in images], dtype=np.int64)

    every = claim.images.reshape(-1, *claim.images.shape[2:])
    wrong = {halved(image).tobytes(): expected[row // 2] for row, image in enumerate(every)}
    for fronts, outcome in (({}, Outcome.SUPPORTING), ({"halved": halved}, Outcome.INCONCLUSIVE)):
        brought = tuple(reference(claim, number, model, fronts=fronts) for number in range(1, 20))
        ruling = ruled(found, session(claim, lambda images: model(halved(images)), plain=True, references=brought))
        assert (ruling.outcome, ruling.finding.score) == (outcome, 1)
    assert "19 same-data" in step(ruling, "J7 main test")[1]
    assert "as good as the suspect: reference 1" in step(ruling, "J8 references")[1]
