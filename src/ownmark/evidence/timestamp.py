"""When a seal existed at the latest: RFC 3161 tokens of a timestamp authority. Uses no network itself. No torch."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ownmark import canonical
from ownmark.canonical import from_base64, in_base64
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence.chain_order import in_order

Post = Callable[[bytes], bytes]  # sends a DER request (application/timestamp-query) to an authority, returns its response
KEYS = frozenset({"url", "nonce", "token"})
SKEW = timedelta(minutes=5)  # how far the authority's clock and ours may differ
ACCURACY = timedelta(seconds=1)  # how far a token's time, in whole seconds, may lie before the true time
MEDIA_TYPE = "application/timestamp-query"


@dataclass(frozen=True)
class Stamp:
    """`url`: of the authority; `nonce`: of the request, so that no older response fits; `token`: the whole response, DER."""

    url: str
    nonce: int
    token: bytes

    @property
    def record(self) -> dict[str, Any]:
        """JSON data; the nonce has 64 bits, more than a JSON number holds, and is therefore text."""
        return {"url": self.url, "nonce": str(self.nonce), "token": in_base64(self.token)}

    @property
    def time(self) -> datetime:
        """The time in the token, not yet verified."""
        return _decoded(self.token).tst_info.gen_time


def from_record(value: object) -> Stamp:
    """The stamp that `Stamp.record` described. Raises EvidenceError."""
    record = canonical.record_of(value, KEYS, "a timestamp")
    nonce = record["nonce"]
    if not isinstance(record["url"], str) or not isinstance(nonce, str) or not nonce.isdecimal() or not nonce.isascii():
        raise EvidenceError("a timestamp must name its authority's address and a nonce of decimal digits")
    if len(nonce) > 40 or str(int(nonce)) != nonce:  # noqa: PLR2004 - 128 bits
        raise EvidenceError("the nonce of a timestamp must be an integer below 2^128")
    return Stamp(record["url"], int(nonce), from_base64(record["token"]))


def asked(message: bytes, url: str, post: Post) -> Stamp:
    """A new stamp on SHA-256 of the message. Raises EvidenceError for an invalid response, and whatever `post` raises."""
    request = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
    if request.nonce is None:
        raise EvidenceError("the request for a timestamp has no nonce")
    stamp = Stamp(url, request.nonce, post(request.as_bytes()))
    told = _decoded(stamp.token).tst_info
    if told.nonce != request.nonce or told.message_imprint.message != request.message_imprint.message:
        raise EvidenceError("the timestamp answers a different request")
    return stamp


def proven(stamp: Stamp, message: bytes, roots: Sequence[Certificate], now: datetime) -> datetime:
    """When the message existed at the latest, if one of the roots vouches for it.

    Certificates are checked as of that time, so later expiry does not matter. Raises EvidenceError.
    """
    if not roots:
        raise UsageError("expected root certificates to check a timestamp against: name the authority's")
    token = _decoded(stamp.token)
    verifier = VerifierBuilder(roots=list(roots), nonce=stamp.nonce).build()
    try:
        verifier.verify_message(token, message)
    except (VerificationError, ValueError) as error:
        raise EvidenceError(f"the timestamp of {stamp.url} is invalid: {_why(error)}") from error
    time = token.tst_info.gen_time
    if time > now + SKEW:
        raise EvidenceError(
            f"the timestamp of {stamp.url} is of {time:%Y-%m-%d %H:%M:%S} UTC, which is in the future: check the clock, too"
        )
    return time


def roots_in(path: Path) -> tuple[Certificate, ...]:
    """The certificates in a PEM file."""
    try:
        return tuple(load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path} as certificates in PEM: {error}") from error


def _why(error: Exception) -> str:
    """OpenSSL's reason without its stack."""
    found = re.search(r'Verify error: ([^"]*)', str(error))
    return found[1] if found else str(error)


def _decoded(token: bytes) -> TimeStampResponse:
    """The response of an authority that grants a timestamp."""
    try:
        answer = decode_timestamp_response(in_order(token))
        status = PKIStatus(answer.status)
        said = ", ".join(answer.status_string)
        granted = status is PKIStatus.GRANTED and answer.tst_info is not None
    except (ValueError, TypeError) as error:
        raise EvidenceError(f"not a response of a timestamp authority: {error}") from error
    if not granted:
        raise EvidenceError(f"the timestamp authority refused: {status.name} {said}".strip())
    return answer
