"""An owner's key opens with its passphrase only, and nothing passes for the owner's signature but the owner's signature."""

import os
import stat
import subprocess
from pathlib import Path

import pytest
from authority import needs_openssl
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sealing import OWNER, THIEF
from securesystemslib.dsse import Envelope as Oracle

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import envelope, owner

WORDS = "four words are enough"
GROUP = 2**252 + 27742317777372353535851937790883648493  # the order of Ed25519's group
SMALL = [0, 1, owner.PRIME - 1, owner.ORDER_8, owner.PRIME - owner.ORDER_8, owner.PRIME, owner.PRIME + 1]


def encoded(place: int, sign: int) -> bytes:
    """A point of Ed25519: its y, and the sign of its x in the topmost bit."""
    return (place + (sign << 255)).to_bytes(32, "little")


def test_a_key_opens_again_as_it_was_made(tmp_path: Path) -> None:
    made = owner.create(tmp_path / "OWNER.key", WORDS)
    again = owner.opened(tmp_path / "OWNER.key", WORDS)
    assert (again.public, again.secret) == (made.public, made.secret)
    assert owner.public_key(tmp_path / "OWNER.pub") == made.public
    assert len(made.secret) == 32
    assert stat.S_IMODE((tmp_path / "OWNER.key").stat().st_mode) == 0o600


def test_two_keys_have_nothing_in_common_and_show_nothing(tmp_path: Path) -> None:
    one, two = (owner.create(tmp_path / f"{number}.key", WORDS) for number in range(2))
    assert len({one.public, two.public, one.secret.hex(), two.secret.hex(), one.signing.private_bytes_raw().hex()}) == 5
    assert one.secret.hex() not in repr(one)
    held = (tmp_path / "0.key").read_bytes() + (tmp_path / "0.pub").read_bytes()
    assert one.secret not in held
    assert one.signing.private_bytes_raw() not in held


def test_another_passphrase_does_not_open_it(tmp_path: Path) -> None:
    owner.create(tmp_path / "OWNER.key", WORDS)
    for wrong in ("four words are enougH", "", "x"):
        with pytest.raises(UsageError, match="wrong passphrase"):
            owner.opened(tmp_path / "OWNER.key", wrong)


def test_a_key_cut_at_any_length_does_not_open(tmp_path: Path) -> None:
    owner.create(tmp_path / "OWNER.key", WORDS)
    data = (tmp_path / "OWNER.key").read_bytes()
    for length in range(0, len(data) - 1, 13):
        (tmp_path / "cut.key").write_bytes(data[:length])
        with pytest.raises(UsageError):
            owner.opened(tmp_path / "cut.key", WORDS)


def test_no_key_is_ever_overwritten_and_no_short_passphrase_taken(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="12 characters"):
        owner.create(tmp_path / "OWNER.key", "short")
    assert not list(tmp_path.iterdir())
    owner.create(tmp_path / "OWNER.key", WORDS)
    with pytest.raises(UsageError, match="overwriting a key would destroy it"):
        owner.create(tmp_path / "OWNER.key", WORDS)
    with pytest.raises(UsageError, match="the name of a public key"):
        owner.create(tmp_path / "NEW.pub", WORDS)
    (tmp_path / "OTHER.pub").write_text("a public key of somebody")
    with pytest.raises(UsageError, match=r"OTHER\.pub exists"):
        owner.create(tmp_path / "OTHER.key", WORDS)


@pytest.mark.parametrize("name", ["missing.key", ".", "text.key", "ecdsa.key", "rsa.key"])
def test_what_is_no_owners_key_is_refused_with_a_message(name: str, tmp_path: Path) -> None:
    lock = BestAvailableEncryption(WORDS.encode())
    wrong = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    public = rsa.generate_private_key(65537, 2048).public_key()
    (tmp_path / "text.key").write_text("not a key")
    (tmp_path / "ecdsa.key").write_bytes(wrong * 2)
    (tmp_path / "rsa.key").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for read in (lambda: owner.opened(tmp_path / name, WORDS), lambda: owner.public_key(tmp_path / name)):
        with pytest.raises(UsageError, match=str(tmp_path)):
            read()


@needs_openssl
def test_openssl_reads_the_signing_key_and_the_public_key(tmp_path: Path) -> None:
    made = owner.create(tmp_path / "OWNER.key", WORDS)
    call = ["openssl", "pkey", "-in", "OWNER.key", "-passin", "env:WORDS", "-pubout"]
    ran = subprocess.run(call, cwd=tmp_path, env=os.environ | {"WORDS": WORDS}, capture_output=True, check=True)
    assert ran.stdout == (tmp_path / "OWNER.pub").read_bytes()
    assert made.public == owner.public_key(tmp_path / "OWNER.pub")


@given(st.binary(max_size=40))
def test_the_owners_signature_holds_for_its_message_and_no_other(message: bytes) -> None:
    signature = OWNER.sign(message)
    owner.check_signature(OWNER.public, signature, message)
    for key, one, said in ((THIEF.public, signature, message), (OWNER.public, signature, message + b" ")):
        with pytest.raises(EvidenceError, match="invalid signature"):
            owner.check_signature(key, one, said)


def test_a_signature_with_one_changed_bit_or_another_length_does_not_hold() -> None:
    signature = OWNER.sign(b"message")
    changed = [
        bytes(byte ^ (1 << bit) if place == at else byte for place, byte in enumerate(signature))
        for at in range(64)
        for bit in (0, 7)
    ]
    for one in [*changed, b"", signature[:-1], signature + b"\0"]:
        with pytest.raises(EvidenceError):
            owner.check_signature(OWNER.public, one, b"message")


def test_the_other_signature_that_fits_the_same_equation_is_refused() -> None:
    signature = OWNER.sign(b"message")
    other = int.from_bytes(signature[32:], "little") + GROUP
    with pytest.raises(EvidenceError, match="invalid signature"):
        owner.check_signature(OWNER.public, signature[:32] + other.to_bytes(32, "little"), b"message")


@pytest.mark.parametrize("sign", [0, 1])
@pytest.mark.parametrize("place", SMALL)
def test_a_public_key_of_small_order_is_refused_however_it_is_written(place: int, sign: int) -> None:
    anybodys = encoded(1, 0) + bytes(32)  # R is the neutral point, S is 0: no secret is needed for it
    with pytest.raises(EvidenceError, match="small order"):
        owner.check_signature(encoded(place, sign).hex(), anybodys, b"whatever")


def test_an_honest_key_is_not_taken_for_one_of_small_order() -> None:
    for number in range(50):
        key = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        owner.check_signature(key.public_key().public_bytes_raw().hex(), key.sign(b"yes"), b"yes")


@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_signed_is_what_the_reference_implementation_signs(body: bytes, kind: str) -> None:
    assert envelope.pae(kind, body) == Oracle(body, kind, {}).pae()


def test_the_envelope_is_one_that_the_reference_implementation_reads() -> None:
    made = envelope.signed(b'{"a":1}', OWNER)
    read = Oracle.from_dict(made.record)
    assert read.payload == b'{"a":1}'
    assert read.pae() == envelope.pae(envelope.PAYLOAD_TYPE, b'{"a":1}')
    assert [one.signature for one in read.signatures.values()] == [made.signature.hex()]


@given(st.binary(max_size=30))
def test_bytes_have_one_text_only(data: bytes) -> None:
    text = canonical.in_base64(data)
    assert canonical.from_base64(text) == data
    for other in (text + "\n", text + "=", " " + text, text.rstrip("=") + "!"):
        with pytest.raises(EvidenceError):
            canonical.from_base64(other)
    with pytest.raises(EvidenceError, match="non-zero padding bits"):
        canonical.from_base64("AB==")
