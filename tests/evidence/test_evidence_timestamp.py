"""A timestamp holds for its message, under its root, at its time; anything else is refused, and nothing is a traceback."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path

import pytest
from authority import DAY, Authority, authority, needs_openssl
from hypothesis import given
from hypothesis import strategies as st

from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import timestamp
from ownmark.evidence.chain_order import in_order
from ownmark.evidence.timestamp import Stamp

pytestmark = needs_openssl
MESSAGE, PAST = b"the envelope", datetime(2020, 5, 5, tzinfo=UTC)


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tsa") / "trusted")


@pytest.fixture(scope="module")
def stamp(trusted: Authority) -> Stamp:
    return timestamp.asked(MESSAGE, "http://authority", trusted.reply)


def now() -> datetime:
    return datetime.now(UTC)


def refused(one: Stamp, root: Authority, told: str, message: bytes = MESSAGE) -> None:
    with pytest.raises(EvidenceError, match=told):
        timestamp.proven(one, message, (root.root,), now())


def test_a_timestamp_tells_when_it_was_made(stamp: Stamp, trusted: Authority) -> None:
    time = timestamp.proven(stamp, MESSAGE, (trusted.root,), now())
    assert timedelta(0) <= now() - time < timedelta(minutes=5)
    assert time == stamp.time
    assert time.tzinfo is not None
    assert timestamp.from_record(stamp.record) == stamp


def test_it_holds_for_no_other_message_root_or_request(stamp: Stamp, trusted: Authority, tmp_path: Path) -> None:
    refused(stamp, trusted, "Mismatch between messages", MESSAGE + b" ")
    refused(stamp, authority(tmp_path / "other"), "unable to get local issuer certificate")
    refused(replace(stamp, nonce=stamp.nonce + 1), trusted, "Nonce mismatch")


def test_one_trusted_root_among_several_is_enough_and_none_is_a_wrong_use(
    stamp: Stamp, trusted: Authority, tmp_path: Path
) -> None:
    other = authority(tmp_path / "other")
    assert timestamp.proven(stamp, MESSAGE, (other.root, trusted.root), now()) == stamp.time
    with pytest.raises(UsageError, match="expected root certificates"):
        timestamp.proven(stamp, MESSAGE, (), now())


def test_a_chain_is_read_in_whatever_order_its_authority_wrote_it_and_still_verified(trusted: Authority, tmp_path: Path) -> None:
    """`openssl ts -reply -chain` writes certificates as they come, where DER sorts them."""
    others = [authority(tmp_path / name).root for name in ("one", "two")]
    unsorted = 0
    for chain in permutations((trusted.root, *others)):
        told = timestamp.asked(MESSAGE, "http://authority", partial(trusted.reply, chain=chain))
        assert timestamp.proven(told, MESSAGE, (trusted.root,), now()) == told.time
        assert timestamp.from_record(told.record).token == told.token, "it is kept as it came"
        unsorted += in_order(told.token) != told.token
        refused(told, authority(tmp_path / f"other-{len(list(tmp_path.iterdir()))}"), "unable to get|self-signed certificate")
        refused(told, trusted, "Mismatch between messages", MESSAGE + b" ")
    assert unsorted >= 4
    assert in_order(in_order(told.token)) == in_order(told.token)


def test_a_certificate_that_has_expired_since_is_no_hindrance(stamp: Stamp, tmp_path: Path) -> None:
    old = authority(tmp_path / "old", start=PAST - DAY - now(), end=PAST + DAY - now())
    then = replace(stamp, token=old.resigned(stamp.token, PAST))
    assert timestamp.proven(then, MESSAGE, (old.root,), now()) == PAST
    refused(replace(stamp, token=old.resigned(stamp.token, PAST + 2 * DAY)), old, "certificate has expired")
    refused(replace(stamp, token=old.resigned(stamp.token, PAST - 2 * DAY)), old, "not yet valid")


@pytest.mark.parametrize("wrong", [{"purpose": False}, {"critical": False}])
def test_a_certificate_that_is_not_for_timestamps_only_is_refused(wrong: dict[str, bool], stamp: Stamp, tmp_path: Path) -> None:
    sound = authority(tmp_path / "sound")
    assert timestamp.proven(replace(stamp, token=sound.resigned(stamp.token)), MESSAGE, (sound.root,), now()) == stamp.time
    other = authority(tmp_path / "other", **wrong)  # type: ignore[arg-type]
    refused(replace(stamp, token=other.resigned(stamp.token)), other, "unsuitable certificate purpose")


def test_a_time_that_is_still_to_come_is_refused(stamp: Stamp, trusted: Authority) -> None:
    refused(replace(stamp, token=trusted.resigned(stamp.token, now() + 30 * DAY)), trusted, "in the future")
    with pytest.raises(EvidenceError, match="check the clock"):
        timestamp.proven(stamp, MESSAGE, (trusted.root,), stamp.time - 365 * DAY)


def test_an_answer_to_an_older_request_is_refused_at_once(stamp: Stamp, trusted: Authority) -> None:
    with pytest.raises(EvidenceError, match="a different request"):
        timestamp.asked(MESSAGE, "http://authority", lambda _: stamp.token)
    swapped = trusted.resigned(stamp.token)
    with pytest.raises(EvidenceError, match="a different request"):
        timestamp.asked(b"another message", "http://authority", lambda _: swapped)


@pytest.mark.parametrize("answer", [b"", b"<html>Sign in</html>", b"\x30\x03\x02\x01\x00", bytes(300), b"\x30\x80" * 1000])
def test_what_is_no_answer_of_an_authority_is_told(answer: bytes) -> None:
    with pytest.raises(EvidenceError, match="not a response of a timestamp authority"):
        timestamp.asked(MESSAGE, "http://authority", lambda _: answer)


def test_a_refusal_is_told() -> None:
    with pytest.raises(EvidenceError, match="timestamp authority"):
        timestamp.asked(MESSAGE, "http://authority", lambda _: bytes.fromhex("30053003020102"))


@given(st.binary(max_size=120))
def test_no_answer_whatever_raises_another_error(answer: bytes) -> None:
    with pytest.raises(EvidenceError):
        timestamp.asked(MESSAGE, "http://authority", lambda _: answer)


def test_a_token_with_one_changed_bit_is_refused_or_means_the_same(stamp: Stamp, trusted: Authority) -> None:
    """A few bits of a token are not signed (names of algorithms); therefore a bundle's digest covers the whole token."""
    same = 0
    for at in range(8 * len(stamp.token)):
        token = bytearray(stamp.token)
        token[at // 8] ^= 1 << at % 8
        try:
            assert timestamp.proven(replace(stamp, token=bytes(token)), MESSAGE, (trusted.root,), now()) == stamp.time
        except EvidenceError:
            continue
        same += 1
    assert same < 8 * len(stamp.token) / 50


def test_a_token_cut_at_any_length_is_refused(stamp: Stamp, trusted: Authority) -> None:
    for length in range(len(stamp.token)):
        refused(replace(stamp, token=stamp.token[:length]), trusted, "not a response of a timestamp authority")


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": 5},
        {"nonce": "-5"},
        {"nonce": "05"},
        {"nonce": "9" * 41},
        {"nonce": "٣"},
        {"url": None},
        {"token": "A"},
        {"more": 1},
    ],
)
def test_a_record_that_is_none_is_refused(changes: dict[str, object], stamp: Stamp) -> None:
    with pytest.raises(EvidenceError):
        timestamp.from_record(stamp.record | changes)


def test_roots_are_read_from_pem_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="certificates in PEM"):
        timestamp.roots_in(tmp_path / "missing.pem")
    (tmp_path / "text.pem").write_text("no certificate")
    with pytest.raises(UsageError, match="certificates in PEM"):
        timestamp.roots_in(tmp_path / "text.pem")
