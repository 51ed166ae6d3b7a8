"""What a judge sees of a key, and by whose terms he judges: how many tried keys p pays for, whose alpha, how many references."""

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import BEFORE, CLASSES, SHAPE, TRIGGERS, handed, keyed, marked, reference, session
from scipy.stats import binom
from sealing import OWNER, POLICY, SEEN, THIEF, choices, fingerprint, keyed_claim, sealed

from ownmark import keys
from ownmark.claims.claim import Claim, Test
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import seal
from ownmark.evidence.admissibility import Checked, Standing, Trust, checked
from ownmark.evidence.allowance import MOST_PLEDGES, allowances, least
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.ruling import Outcome, Ruling, ruled
from ownmark.evidence.verdict_file import Expected, Judged, recomputed
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading


@cache
def stretched_claim() -> Claim:
    """One set whose key came through scrypt, as `ownmark protect --key` makes it."""
    chosen = choices(1, triggers=TRIGGERS, size=SHAPE)
    null = chosen.null(OWNER.secret)
    images = keys.patterns(null.set_keys[0], TRIGGERS, SHAPE, 4)
    test = Test(Reading.LABEL, Agreement(), null.labels(), 0.5, null=null)
    return Claim(images[:, None], (test,), chosen.classes, chosen.scheme, "ab" * 32, choices=chosen.record)


@cache
def shown() -> Bundle:
    """Handed to a judge with the claim's secret."""
    claim = stretched_claim()
    return seal.opened_whole(seal.seal(claim, OWNER, POLICY), claim, OWNER)


def genuine(bundle: Bundle, **trust: Any) -> Checked:
    return replace(checked(bundle, Trust(**trust), SEEN), standing=Standing.IN_TIME, time=BEFORE)


def on_copy(found: Checked, share: float, references: int = 0) -> Ruling:
    """A copy on which that share of the triggers survived; the owner's own model is as weak."""
    assert found.part is not None
    copy = marked(found.part, share)
    brought = tuple(reference(found.part, number) for number in range(1, references + 1))
    return ruled(found, session(found.part, copy, own=copy, references=brought))


def told(ruling: Ruling, name: str) -> str:
    return next(step.told for step in ruling.steps if step.name == name)


# the keys that may have been tried


def test_a_shown_secret_turns_two_to_the_64_into_two_to_the_40_and_a_weak_copy_into_a_match() -> None:
    claim = stretched_claim()
    alone = genuine(seal.opened(seal.seal(claim, OWNER, POLICY), claim, OWNER, 0))
    share = 0.45
    plain, stretched = on_copy(alone, share), on_copy(genuine(Bundle.from_bytes(shown().to_bytes())), share)
    assert (plain.outcome, stretched.outcome) == (Outcome.INCONCLUSIVE, Outcome.STRONG)
    matched = round(stretched.finding.score * TRIGGERS)
    exact = binom.logsf(matched - 1, TRIGGERS, 1 / CLASSES) / np.log(10)
    assert stretched.log10_p == pytest.approx(exact + 40 * np.log10(2))


def test_the_verdict_names_the_three_allowances_the_p_of_each_and_the_one_that_counts() -> None:
    exact = -TRIGGERS * np.log10(CLASSES)
    for bundle, counts in ((shown(), "scrypt"), (handed(), "any key")):
        step = told(on_copy(genuine(bundle), 1.0), "J7 tried keys")
        for bits in (64, 40):
            assert f"2^{bits} (" in step
            assert f"log10 p = {exact + bits * np.log10(2):.6g}" in step
        assert step.count("COUNTS") == 1
        assert f"; {counts}: " in step
    assert "any key" in told(on_copy(genuine(handed()), 1.0), "J7 tried keys").split(" COUNTS")[0]


def test_the_secret_that_is_shown_is_the_claims_alone() -> None:
    data = shown().to_bytes()
    assert OWNER.secret.hex().encode() not in data
    assert OWNER.secret not in data
    inside = Bundle.from_bytes(data).opening
    assert inside is not None
    assert inside.secret == choices(1, triggers=TRIGGERS, size=SHAPE).secret(OWNER.secret)


def test_a_secret_that_the_key_does_not_come_from_is_rejected() -> None:
    one = shown()
    assert one.opening is not None
    with pytest.raises(EvidenceError, match="not derived from the secret that is shown"):
        checked(replace(one, opening=replace(one.opening, secret=bytes(32))), Trust(), SEEN)
    free = keyed(sets=1)  # its key never came through scrypt
    with pytest.raises(UsageError, match="was not derived from this owner's secret"):
        seal.opened_whole(seal.seal(free, OWNER, POLICY), free, OWNER)
    handed_over = seal.opened(seal.seal(free, OWNER, POLICY), free, OWNER, 0)
    assert handed_over.opening is not None
    lies = replace(handed_over.opening, claim=free, number=None, proofs=(), secret=bytes(32))
    with pytest.raises(EvidenceError, match="not derived from the secret that is shown"):
        checked(replace(handed_over, opening=lies), Trust(), SEEN)
    with pytest.raises(UsageError, match="no secret to show"):
        seal.opened_whole(sealed(fingerprint()), fingerprint(), OWNER)
    with pytest.raises(UsageError, match="not the sealed ones"):
        seal.opened_whole(sealed(), keyed_claim(), THIEF)


def test_all_sets_are_open_once_the_secret_is_shown_and_a_set_that_was_opened_before_spoils_it() -> None:
    claim = stretched_claim()
    kept = seal.seal(claim, OWNER, POLICY)
    assert seal.noted_whole(kept).opened == (0,)
    again = seal.opened_whole(seal.noted_whole(kept), claim, OWNER)
    assert again.opened == ()
    late = checked(replace(shown(), opened=(0,)), Trust(), SEEN)
    assert late.standing is Standing.UNTIMESTAMPED, "which comes first"


@given(st.booleans(), st.none() | st.integers(1, MOST_PLEDGES), st.integers(1, 40))
def test_an_allowance_is_never_smaller_than_what_may_have_been_tried(secret: bool, pledges: int | None, sets: int) -> None:  # noqa: FBT001
    found = allowances(secret=secret, pledges=pledges, sets=sets)
    bits = least(found).bits
    assert bits == 64 or secret or pledges
    assert not pledges or secret or 2**bits >= pledges * sets
    assert [one.bits for one in found[:2]] == [64, 40]


# whose terms


def test_the_judges_alpha_caps_the_claimants_and_both_are_told() -> None:
    found = [genuine(handed(), alpha=alpha) for alpha in (None, 0.5, 1e-30)]
    rulings = [on_copy(one, 1.0) for one in found]
    assert [one.alpha for one in found] == [0.05, 0.05, 1e-30]
    assert rulings[0].outcome is rulings[1].outcome is Outcome.STRONG
    assert "0.05 was committed to, no cap" in told(rulings[0], "J7 terms")
    assert "0.05 was committed to, at most 0.5 by the judge" in told(rulings[1], "J7 terms")
    assert on_copy(genuine(handed(), alpha=1e-41), 1.0).outcome is Outcome.INCONCLUSIVE
    for wrong in (0.0, 1.0, -1.0):
        with pytest.raises(UsageError, match="alpha lies between"):
            Trust(alpha=wrong)


def test_a_strong_match_with_fewer_references_than_the_rules_ask_for_says_so() -> None:
    found = genuine(handed())
    for count in (0, 3, 18):
        ruling = on_copy(found, 1.0, count)
        assert (ruling.outcome, f"{count} references were there of the 19" in ruling.reason) == (Outcome.STRONG, True)
    assert "of the 19" not in on_copy(found, 1.0, 19).reason


def test_whoever_computes_a_verdict_anew_may_say_whom_he_expects() -> None:
    bundle = handed()
    assert bundle.opening is not None
    heard = session(bundle.opening.claim, marked(bundle.opening.claim), own=marked(bundle.opening.claim))
    judged = Judged(bundle, Trust(alpha=0.01, now=BEFORE), SEEN, heard, {}, "ab" * 32)
    found = recomputed(judged.signed(THIEF).data, bundle)
    assert found.judged.trust.alpha == 0.01
    Expected(THIEF.public, OWNER.public, ()).check(found)
    for expected, words in (
        (Expected(judge=OWNER.public), "signed by the judge"),
        (Expected(owner=THIEF.public), "claimant's is"),
    ):
        with pytest.raises(EvidenceError, match=words):
            expected.check(found)


def test_more_is_never_paid_than_for_any_key() -> None:
    bits = [one.bits for one in allowances(secret=True, pledges=1, sets=1)]
    assert all(more > less for more, less in pairwise(bits))
