"""A pulse of a public randomness beacon: of the NIST Randomness Beacon 2.0 (NISTIR 8213, draft), or of `drand`. No torch.

Of NIST's, a signed pulse is published every minute and unpredictable before. The signature (RSA, PKCS #1 v1.5, SHA-512) covers
the fields in a fixed order, each text or byte string preceded by its length in 4 bytes; the output is SHA-512 of that and the
signature.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha512
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import drand
from ownmark.evidence.drand import Chain, Round

Trusted = Certificate | Chain

MOST_BYTES = 2**16  # the limit for a pulse's file
RSA_SHA512 = 0  # the cipher suite
LISTED = ("previous", "hour", "day", "month", "year")  # of earlier outputs, in this order
TEXTS = (
    "uri",
    "version",
    "certificateId",
    "timeStamp",
    "localRandomValue",
    "precommitmentValue",
    "signatureValue",
    "outputValue",
)
NUMBERS = {"cipherSuite": 4, "period": 4, "chainIndex": 8, "pulseIndex": 8, "statusCode": 4}  # bytes
KEYS = frozenset({*TEXTS, *NUMBERS, "external", "listValues"})
EXTERNAL = frozenset({"sourceId", "statusCode", "value"})


@dataclass(frozen=True)
class Pulse:
    """`record`: JSON data as published by the beacon, not yet verified."""

    record: dict[str, Any]

    @property
    def time(self) -> datetime:
        """When it was published; unknown to anybody before."""
        return datetime.strptime(self.record["timeStamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)

    @property
    def period(self) -> timedelta:
        """The time until the next pulse."""
        return timedelta(milliseconds=self.record["period"])

    @property
    def output(self) -> bytes:
        """64 random bytes."""
        return bytes.fromhex(self.record["outputValue"])

    @property
    def message(self) -> bytes:
        """What is signed."""
        told, outside = self.record, self.record["external"]
        head = [_text(told["uri"]), _text(told["version"]), *(_number(told, one) for one in ("cipherSuite", "period"))]
        head += [_bytes(told["certificateId"]), *(_number(told, one) for one in ("chainIndex", "pulseIndex"))]
        head += [_text(told["timeStamp"]), _bytes(told["localRandomValue"])]
        head += [_bytes(outside["sourceId"]), _number(outside, "statusCode"), _bytes(outside["value"])]
        listed = [_bytes(one["value"]) for one in told["listValues"]]
        return b"".join([*head, *listed, _bytes(told["precommitmentValue"]), _number(told, "statusCode")])

    def check(self, beacons: Sequence[Trusted]) -> None:
        """Raises EvidenceError unless one of the beacon's certificates, valid at the time, signed it."""
        signature = bytes.fromhex(self.record["signatureValue"])
        if sha512(self.message + signature).digest() != self.output:
            raise EvidenceError("the pulse was modified: its output is not the hash of its fields and its signature")
        if not any(_signed(one, signature, self) for one in beacons if isinstance(one, Certificate)):
            raise EvidenceError(f"no trusted beacon certificate signed the pulse {self.record['uri']}")


def _signed(certificate: Certificate, signature: bytes, pulse: Pulse) -> bool:
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        return False
    if not certificate.not_valid_before_utc <= pulse.time <= certificate.not_valid_after_utc:
        return False
    try:
        key.verify(signature, pulse.message, PKCS1v15(), SHA512())
    except InvalidSignature:
        return False
    return True


def from_bytes(data: bytes, chain: Chain | None = None) -> Pulse | Round:
    """The pulse in a beacon's file or response; of drand's with the `chain` that it is of. Raises EvidenceError."""
    try:
        whole = json.loads(data.decode("utf-8"), object_pairs_hook=canonical.named_once) if len(data) <= MOST_BYTES else None
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"not a pulse of a beacon; truncated or corrupt ({error})") from error
    if isinstance(whole, dict) and whole.keys() == drand.PUBLISHED:
        if chain is None:
            raise EvidenceError("a round of drand says nothing of its chain: name what drand publishes about it (--certificate)")
        return drand.from_record(whole | {"chain": chain.record})
    return from_record(whole.get("pulse", whole) if isinstance(whole, dict) else whole)


def from_record(value: object) -> Pulse | Round:
    """The pulse in this JSON data. Raises EvidenceError for an invalid record."""
    if isinstance(value, dict) and "round" in value:
        return drand.from_record(value)
    return _of_nist(value)


def _of_nist(value: object) -> Pulse:
    record = canonical.record_of(value, KEYS, "a pulse")
    outside, listed = canonical.record_of(record["external"], EXTERNAL, "a pulse's external value"), record["listValues"]
    if not isinstance(listed, list) or [_kind(one) for one in listed] != list(LISTED):
        raise EvidenceError(f"a pulse must list the outputs of {', '.join(LISTED)}, in this order")
    pulse = Pulse(record)
    try:
        if not all(isinstance(record[name], str) for name in TEXTS) or not all(_is_number(record, one) for one in NUMBERS):
            raise EvidenceError("a pulse's fields must be strings and integers")
        usable = (
            _is_number(outside, "statusCode") and bool(pulse.message) and bool(pulse.output) and pulse.period.total_seconds() > 0
        )
        bytes.fromhex(record["signatureValue"])
        moment = pulse.time
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise EvidenceError(f"cannot read the pulse: {error}") from error
    if not usable or record["cipherSuite"] != RSA_SHA512:
        raise EvidenceError(f"a pulse of {moment:%Y-%m-%d} needs the cipher suite {RSA_SHA512}, RSA with SHA-512")
    return pulse


def trusted_in(path: Path) -> tuple[Trusted, ...]:
    """The certificates of a beacon, in PEM, or what drand publishes about a chain, in JSON."""
    from cryptography.x509 import load_pem_x509_certificates

    try:
        data = path.read_bytes()
        if data.lstrip().startswith(b"{"):
            return (drand.chain_of(json.loads(data)),)
        return tuple(load_pem_x509_certificates(data))
    except (OSError, ValueError, EvidenceError) as error:
        raise UsageError(f"cannot read {path} as a beacon's certificate in PEM or as a chain of drand: {error}") from error


def bytes_of(beacon: Trusted) -> bytes:
    """A trusted beacon as a verdict holds it: DER, or canonical JSON."""
    return beacon.public_bytes(Encoding.DER) if isinstance(beacon, Certificate) else canonical.dumps(beacon.record)


def of_bytes(data: bytes) -> Trusted:
    """What `bytes_of` gave. Raises EvidenceError or ValueError."""
    return drand.chain_of(canonical.loads(data)) if data.startswith(b"{") else load_der_x509_certificate(data)


def _kind(one: object) -> object:
    known = isinstance(one, dict) and one.keys() == {"uri", "type", "value"} and isinstance(one["value"], str)
    return one["type"] if known and isinstance(one, dict) else None


def _is_number(record: dict[str, Any], name: str) -> bool:
    return canonical.is_count(record[name]) and record[name] < 2 ** min(8 * NUMBERS[name], 53)


def _number(record: dict[str, Any], name: str) -> bytes:
    return int(record[name]).to_bytes(NUMBERS[name], "big")


def _text(value: str) -> bytes:
    return len(value.encode()).to_bytes(4, "big") + value.encode()


def _bytes(value: str) -> bytes:
    plain = bytes.fromhex(value)
    return len(plain).to_bytes(4, "big") + plain
