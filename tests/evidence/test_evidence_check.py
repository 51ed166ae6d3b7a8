"""Steps J1 to J3: what was tampered with, signed by another or not made honestly is refused; what is late is told to be late."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from authority import DAY, Authority, authority, needs_openssl
from sealing import MASTER, OWNER, POLICY, SEEN, SETS, SIZE, THIEF, choices, fingerprint, keyed_claim, opened, resealed, sealed

from ownmark import keys
from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError, EvidenceError, UsageError
from ownmark.evidence import claim_record, envelope, merkle, seal
from ownmark.evidence.admissibility import Standing, Trust, checked
from ownmark.evidence.bundle import Bundle, Opening
from ownmark.evidence.envelope import signed


def change(one: Bundle, **changes: object) -> Bundle:
    """The bundle with other fields in its opening."""
    assert one.opening is not None
    return replace(one, opening=replace(one.opening, **changes))  # type: ignore[arg-type]


def opening(one: Bundle) -> Opening:
    assert one.opening is not None
    return one.opening


def rejected(one: Bundle, told: str, trust: Trust = Trust()) -> None:
    with pytest.raises(EvidenceError, match=told) as caught:
        checked(one, trust, SEEN)
    assert caught.value.exit_code == 4


# what is genuine


@pytest.mark.parametrize("number", range(SETS))
def test_every_set_opens_and_is_the_one_that_was_sealed(number: int) -> None:
    found = checked(Bundle.from_bytes(opened(number).to_bytes()), Trust(owner=OWNER.public), SEEN)
    assert found.part is not None
    assert np.array_equal(found.part.images, keyed_claim().images[number * SIZE : (number + 1) * SIZE])
    assert (found.number, found.remade, found.standing, found.time) == (number, True, Standing.UNTIMESTAMPED, None)
    assert found.commitment.policy == POLICY
    assert found.digest == sealed().digest


def test_a_seal_that_is_not_opened_is_checked_too() -> None:
    found = checked(sealed(), Trust(), SEEN)
    assert (found.part, found.number, found.remade) == (None, None, False)


def test_a_fingerprint_opens_as_a_whole() -> None:
    found = checked(seal.opened(sealed(fingerprint()), fingerprint(), OWNER, None), Trust(), SEEN)
    assert found.part == fingerprint()
    assert not found.remade


def test_a_keyed_claim_of_one_set_opens_as_a_whole() -> None:
    single = keyed_claim(sets=0)
    found = checked(seal.opened(sealed(single), single, OWNER, None), Trust(), SEEN)
    assert (found.part, found.number, found.remade) == (single, None, True)


def test_images_that_do_not_come_from_the_key_are_told_to_be_so() -> None:
    other = keyed_claim(chosen=choices(cells=0), images=np.zeros((SETS * SIZE, 1, 3, 3, 1), np.uint8))
    one = sealed(other)
    assert one.commitment.cells == 0
    assert not checked(seal.opened(one, other, OWNER, 0), Trust(), SEEN).remade


# J1, signature and tree


def test_another_owner_or_a_signature_that_does_not_fit_is_rejected() -> None:
    one = sealed()
    rejected(one, "the claimant's is", Trust(owner=THIEF.public))
    rejected(replace(one, envelope=signed(one.envelope.payload, THIEF)), "not by the owner it names")
    named = replace(signed(one.envelope.payload, THIEF), keyid=one.envelope.keyid)
    rejected(replace(one, envelope=named), "did not sign this")
    rejected(replace(one, envelope=replace(one.envelope, signature=b"")), "did not sign this")
    rejected(replace(one, envelope=replace(sealed(fingerprint()).envelope, payload=one.envelope.payload)), "did not sign this")


def test_one_changed_bit_of_what_is_signed_is_rejected_though_every_digest_fits() -> None:
    one = opened()
    for place in range(len(one.envelope.payload)):
        payload = bytearray(one.envelope.payload)
        payload[place] ^= 1 << place % 7
        with pytest.raises(EvidenceError):
            checked(replace(one, envelope=replace(one.envelope, payload=bytes(payload))), Trust(), SEEN)


def test_a_key_of_small_order_is_rejected_though_its_signature_fits() -> None:
    neutral = (1).to_bytes(32, "little").hex()
    payload = resealed(sealed(), owner=neutral).envelope.payload
    forged = envelope.Envelope(payload, envelope.keyid(neutral), bytes.fromhex(neutral) + bytes(32))
    rejected(replace(sealed(), envelope=forged), "small order")


def test_a_key_that_was_withdrawn_before_the_seal_was_surely_there_is_rejected() -> None:
    trust = Trust(withdrawn={OWNER.public: datetime(2099, 1, 1, tzinfo=UTC)})
    rejected(sealed(), r"withdrawn on 2099-01-01", trust)
    checked(sealed(), replace(trust, withdrawn={THIEF.public: SEEN}), SEEN)


@pytest.mark.parametrize("place", range(SIZE))
def test_one_other_pixel_is_rejected_and_its_trigger_named(place: int) -> None:
    images = opening(opened()).claim.images.copy()
    images[place, 0, 1, 1, 0] ^= 1
    rejected(change(opened(), claim=replace(opening(opened()).claim, images=images)), f"trigger {place} of set 1 is not")


def test_one_other_label_is_rejected_and_its_trigger_named() -> None:
    part = opening(opened()).claim
    wrong = part.tests[0].expected.copy()
    wrong[2] = (wrong[2] + 1) % 10
    with pytest.raises(ClaimError, match="label of trigger 2 does not come from the key"):
        replace(part, tests=(replace(part.tests[0], expected=wrong),))


def test_another_order_set_blind_or_proof_is_rejected() -> None:
    one, inside = opened(), opening(opened())
    rejected(change(one, number=0), "trigger 0 of set 0 is not")
    rejected(change(one, number=3), "set 3 of 3")
    rejected(change(one, number=None), "were to be opened")
    rejected(change(one, claim=opening(opened(2)).claim), "trigger 0 of set 1 is not")
    rejected(change(one, blinds=inside.blinds[::-1]), "trigger 0 of set 1 is not")
    rejected(change(one, blinds=inside.blinds[1:]), "were to be opened")
    rejected(change(one, proofs=inside.proofs[::-1]), "trigger 0 of set 1 is not")
    rejected(change(one, proofs=()), "with a proof for each")
    rejected(change(one, proofs=((),) * SIZE), "wrong length")
    rejected(change(one, claim=keyed_claim()), "12")


def test_a_whole_claim_that_is_another_is_rejected() -> None:
    claim = fingerprint()
    one = seal.opened(sealed(claim), claim, OWNER, None)
    images = claim.images.copy()
    images[0, 0, 0, 0, 0] ^= 1
    rejected(change(one, claim=replace(claim, images=images)), "not the one that was sealed")
    rejected(change(one, blinds=one.opening.blinds[::-1] if one.opening else ()), "not the one that was sealed")
    rejected(change(one, number=0), "were to be opened")


@pytest.mark.parametrize(
    "other",
    [
        lambda part: replace(part, classes=tuple("abcdefghiJ")),
        lambda part: replace(part, scheme="Other()"),
        lambda part: replace(part, model="cd" * 32),
        lambda part: replace(part, built_with=("cd" * 32,)),
        lambda part: replace(part, preprocess=replace(part.preprocess, mean=(0.5,))),
        lambda part: replace(part, tests=(replace(part.tests[0], target_score=0.5),)),
        lambda part: replace(part, tests=(replace(part.tests[0], null=replace(part.tests[0].null, grinding=65)),)),
    ],
)
def test_a_claim_that_asks_or_judges_in_another_way_is_rejected(other: Callable[[Claim], Claim]) -> None:
    rejected(change(opened(), claim=other(opening(opened()).claim)), "in another way than was committed to")


# J2, the time


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "trusted")


@needs_openssl
def test_the_time_decides_whether_a_seal_may_be_used(trusted: Authority, tmp_path: Path) -> None:
    one = seal.stamped(opened(), "http://authority", trusted.reply)
    trust = Trust((trusted.root,))
    made = one.stamps[0].time
    assert checked(one, trust, made + timedelta(seconds=1)).standing is Standing.IN_TIME
    assert checked(one, trust, made).standing is Standing.LATE
    late = checked(one, trust, made - DAY)
    assert late.standing is Standing.LATE
    assert late.part is not None, "its statistics can still be shown"
    assert late.time == made
    rejected(one, "local issuer", Trust((authority(tmp_path / "other").root,)))
    rejected(one, "in the future", replace(trust, now=made - 365 * DAY))
    rejected(one, "withdrawn", replace(trust, withdrawn={OWNER.public: made}))
    assert checked(one, replace(trust, withdrawn={OWNER.public: made + DAY}), SEEN).standing is Standing.IN_TIME


@needs_openssl
def test_the_earliest_timestamp_that_holds_counts(trusted: Authority, tmp_path: Path) -> None:
    other = authority(tmp_path / "other")
    one = seal.stamped(sealed(), "http://authority", trusted.reply)
    earlier = replace(one.stamps[0], token=other.resigned(one.stamps[0].token, one.stamps[0].time - DAY))
    both = replace(one, stamps=(*one.stamps, earlier))
    assert checked(both, Trust((trusted.root, other.root)), SEEN).time == earlier.time
    assert checked(both, Trust((trusted.root,)), SEEN).time == one.stamps[0].time


@needs_openssl
def test_a_timestamp_of_another_seal_is_rejected(trusted: Authority) -> None:
    other = seal.stamped(sealed(fingerprint()), "http://authority", trusted.reply)
    rejected(replace(sealed(), stamps=other.stamps), "Mismatch", Trust((trusted.root,)))


@needs_openssl
def test_a_set_that_was_opened_before_does_not_count_again(trusted: Authority) -> None:
    kept = seal.stamped(sealed(), "http://authority", trusted.reply)
    trust = Trust((trusted.root,))
    first = seal.opened(kept, keyed_claim(), OWNER, 2)
    kept = seal.noted(kept, 2)
    second = seal.opened(kept, keyed_claim(), OWNER, 0)
    kept = seal.noted(seal.noted(kept, 0), 2)
    assert (first.opened, second.opened, kept.opened) == ((), (2,), (2, 0))
    assert checked(first, trust, SEEN).standing is Standing.IN_TIME
    assert checked(second, trust, SEEN).standing is Standing.IN_TIME
    assert seal.opened(kept, keyed_claim(), OWNER, 2) == first
    assert checked(first, replace(trust, opened=frozenset({2})), SEEN).standing is Standing.ALREADY_OPEN
    assert checked(replace(first, opened=(2,)), trust, SEEN).standing is Standing.ALREADY_OPEN
    whole = seal.opened(seal.stamped(sealed(fingerprint()), "u", trusted.reply), fingerprint(), OWNER, None)
    assert checked(whole, replace(trust, opened=frozenset({0})), SEEN).standing is Standing.ALREADY_OPEN


# J3, honest making


def test_a_pattern_that_the_key_does_not_give_is_rejected_and_named() -> None:
    images = keyed_claim().images.copy()
    images[SIZE + 3, 0, 0, 0, 0] ^= 1
    other = keyed_claim(images=images)
    bent = resealed(
        sealed(), claim=other.digest, root=merkle.root(claim_record.leaves(other, claim_record.blinds(other, OWNER))).hex()
    )
    rejected(seal.opened(bent, other, OWNER, 1), "image of trigger 3 does not come from the key")
    checked(seal.opened(bent, other, OWNER, 0), Trust(), SEEN)


def test_a_claim_that_counts_too_few_tried_keys_is_neither_sealed_nor_believed() -> None:
    whole = keyed_claim()
    meek = replace(whole, tests=(replace(whole.tests[0], null=replace(whole.tests[0].null, grinding=40)),))  # type: ignore[type-var]
    with pytest.raises(UsageError, match="2\\^64"):
        sealed(meek)
    bent = resealed(opened(), terms=claim_record.terms(meek))
    rejected(change(bent, claim=meek.part(1)), r"2\^64")


def test_blinds_and_labels_come_from_the_sets_own_key() -> None:
    own = keys.bound(keys.set_key(MASTER, 1), choices().digest)
    assert opening(opened(1)).blinds == tuple(keys.derived(own, "blind", number) for number in range(SIZE))
    assert np.array_equal(opening(opened(1)).claim.tests[0].expected, keys.labels(own, SIZE, 10))
