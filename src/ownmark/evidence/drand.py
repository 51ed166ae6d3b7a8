"""A round of drand's quicknet: a BLS signature (BLS12-381, on G1) over the number of the round, every three seconds. No torch.

The scheme is drand's `bls-unchained-g1-rfc9380`: the message is SHA-256 of the number in eight bytes, hashed to G1 after RFC
9380; the output is SHA-256 of the signature. A round says nothing of its time: the chain's start and period do.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError

SCHEME = "bls-unchained-g1-rfc9380"
TAG = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"  # separates the domain of the hash to G1
KEY_BYTES, SIGNATURE_BYTES, OUTPUT_BYTES = 96, 48, 32
PUBLISHED = frozenset({"round", "randomness", "signature"})
MOST = 2**40  # rounds and seconds


@dataclass(frozen=True)
class Chain:
    """What a judge trusts: the chain's public key (hexadecimal), its start (seconds of Unix time) and its period (seconds)."""

    public_key: str
    period: int
    genesis_time: int

    def __post_init__(self) -> None:
        _hexadecimal(self.public_key, KEY_BYTES, "the public key of a chain")
        if not canonical.is_count(self.period, 1) or not canonical.is_count(self.genesis_time, 1):
            raise EvidenceError("a chain's period and start must be integers above 0")
        if max(self.period, self.genesis_time) >= MOST:
            raise EvidenceError("a chain's period or start is too large")

    @property
    def record(self) -> dict[str, Any]:
        """JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Round:
    """`record`: JSON data as published by the beacon, with its `chain`; not yet verified."""

    record: dict[str, Any]

    @property
    def chain(self) -> Chain:
        return Chain(**self.record["chain"])

    @property
    def time(self) -> datetime:
        """When it was published; unknown to anybody before."""
        chain = self.chain
        return datetime.fromtimestamp(chain.genesis_time, UTC) + timedelta(seconds=(self.record["round"] - 1) * chain.period)

    @property
    def period(self) -> timedelta:
        """The time until the next round."""
        return timedelta(seconds=self.chain.period)

    @property
    def output(self) -> bytes:
        """32 random bytes."""
        return bytes.fromhex(self.record["randomness"])

    def check(self, beacons: Sequence[object]) -> None:
        """Raises EvidenceError unless the round is of a trusted chain, which signed it."""
        signature = bytes.fromhex(self.record["signature"])
        if sha256(signature).digest() != self.output:
            raise EvidenceError("the pulse was modified: its output is not the hash of its signature")
        if self.chain not in beacons or not _signed(self.chain, self.record["round"], signature):
            raise EvidenceError(f"no trusted chain signed the round {self.record['round']}")


def _signed(chain: Chain, number: int, signature: bytes) -> bool:
    try:
        from py_arkworks_bls12381 import GT, G1Point, G2Point
    except ModuleNotFoundError as error:
        raise UsageError("a pulse of drand needs py_arkworks_bls12381: pip install 'ownmark[drand]'") from error
    hashed = G1Point.hash_to_curve(sha256(number.to_bytes(8, "big")).digest(), TAG)
    try:  # both check that a point is on its curve and in its subgroup
        point, key = G1Point.from_compressed_bytes(signature), G2Point.from_compressed_bytes(bytes.fromhex(chain.public_key))
    except ValueError:
        return False
    return key != G2Point.identity() and bool(GT.pairing(point, G2Point()) == GT.pairing(hashed, key))


def chain_of(value: object) -> Chain:
    """The chain in what drand publishes about it (`/info`). Raises EvidenceError."""
    if not isinstance(value, dict) or not {"public_key", "period", "genesis_time"} <= value.keys():
        raise EvidenceError("expected what drand publishes about a chain: public_key, period, genesis_time")
    if value.get("schemeID", SCHEME) != SCHEME:
        raise EvidenceError(f"expected a chain of the scheme {SCHEME}, got {value['schemeID']!r}")
    return Chain(value["public_key"], value["period"], value["genesis_time"])


def from_record(value: object) -> Round:
    """The round in this JSON data. Raises EvidenceError for an invalid record."""
    record = canonical.record_of(value, PUBLISHED | {"chain"}, "a round of drand")
    canonical.record_of(record["chain"], frozenset(Chain.__dataclass_fields__), "a chain of drand")
    if not canonical.is_count(record["round"], 1) or record["round"] >= MOST:
        raise EvidenceError("the number of a round must be an integer above 0")
    _hexadecimal(record["signature"], SIGNATURE_BYTES, "the signature of a round")
    _hexadecimal(record["randomness"], OUTPUT_BYTES, "the output of a round")
    found = Round(record)
    try:
        _ = found.time
    except OverflowError as error:
        raise EvidenceError(f"the round {record['round']} has no time: {error}") from error
    return found


def _hexadecimal(value: object, size: int, what: str) -> None:
    if not isinstance(value, str) or len(value) != 2 * size or set(value) - set("0123456789abcdef"):
        raise EvidenceError(f"{what} must be {2 * size} lower-case hexadecimal digits")
