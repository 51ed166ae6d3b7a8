"""The file of a sealed claim: a line of canonical JSON, followed, once a set is opened, by the claim of that set. No torch.

Each bundle has exactly one valid file: `digest` in the line covers the rest of the line, the line holds the digest of what
follows, and reading serialises the line again and compares the bytes. `docs/evidence-format.md` specifies it.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from ownmark import canonical
from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError, EvidenceError, UsageError, blamed
from ownmark.evidence import commitment, envelope, timestamp
from ownmark.evidence.commitment import Commitment
from ownmark.evidence.envelope import Envelope
from ownmark.evidence.merkle import Proof
from ownmark.evidence.timestamp import Stamp
from ownmark.files import write_whole

VERSION = 2
VERSIONS = (1, 2)  # readable versions
FORMAT = "ownmark seal"
MOST_LINE, MOST_CLAIM = 2**20, 2**30  # bytes: anything larger is rejected before it is read
KEYS = frozenset({"format", "version", "envelope", "stamps", "opened", "opening", "digest"})
OPENING_KEYS = frozenset({"set", "blinds", "proofs", "claim", "bytes", "secret"})  # version 1 has no secret
MOST_STAMPS = 16


@dataclass(frozen=True)
class Opening:
    """Proof that the triggers of `claim` were committed to.

    `number`: of the set, None: the whole claim; `blinds`: 32 bytes per trigger; `proofs`: a Merkle proof per trigger, none for
    the whole claim, whose root is computed from all leaves; `secret`: the claim's own, from which its key came, b"": not shown.
    """

    claim: Claim
    number: int | None
    blinds: tuple[bytes, ...] = field(repr=False)
    proofs: tuple[Proof, ...] = field(repr=False)
    secret: bytes = field(default=b"", repr=False)

    @cached_property
    def data(self) -> bytes:
        """The content of the claim's file."""
        return self.claim.to_bytes()

    @property
    def record(self) -> dict[str, Any]:
        """JSON data, without the claim itself."""
        return {
            "set": self.number,
            "blinds": [blind.hex() for blind in self.blinds],
            "proofs": [[step.hex() for step in proof] for proof in self.proofs],
            "claim": canonical.sha256(self.data),
            "bytes": len(self.data),
            "secret": self.secret.hex(),
        }


@dataclass(frozen=True)
class Bundle:
    """A sealed claim, with or without timestamps, opened or not. A readable bundle need not be valid: see `admissibility`.

    `opened`: in the owner's file the sets opened so far; in a file with an `opening` the sets opened before, according to the
    owner; a claim without sets counts as set 0. `version`: of the file.
    """

    envelope: Envelope
    stamps: tuple[Stamp, ...] = ()
    opened: tuple[int, ...] = ()
    opening: Opening | None = None
    version: int = VERSION

    @cached_property
    def commitment(self) -> Commitment:
        """What the owner committed to."""
        return commitment.from_bytes(self.envelope.payload)

    @property
    def digest(self) -> str:
        """SHA-256 of the envelope: identifies the seal, whatever is added to its file later."""
        return self.envelope.digest

    def to_bytes(self) -> bytes:
        """The file."""
        record: dict[str, Any] = {
            "format": FORMAT,
            "version": self.version,
            "envelope": self.envelope.record,
            "stamps": [stamp.record for stamp in self.stamps],
            "opened": list(self.opened),
            "opening": self.opening and self.opening.record,
        }
        if self.version == 1 and self.opening:
            record["opening"].pop("secret")
        line = canonical.dumps(record | {"digest": canonical.sha256(canonical.dumps(record))}) + b"\n"
        data = self.opening.data if self.opening else b""
        if len(line) > MOST_LINE or len(data) > MOST_CLAIM:
            raise UsageError(f"a seal of {len(line)} + {len(data)} bytes exceeds the limit for reading it: make smaller sets")
        return line + data

    @classmethod
    def from_bytes(cls, data: bytes) -> "Bundle":
        """The bundle in a file's bytes. Raises EvidenceError, or ClaimError for the claim in it."""
        with blamed(EvidenceError, "not a seal, or corrupt"):
            return _read(BytesIO(data), len(data))

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        write_whole(path, self.to_bytes())


def read(path: Path) -> Bundle:
    """The bundle in a file. Raises EvidenceError, or ClaimError for the claim in it, naming the path."""
    try:
        with path.open("rb") as stream, blamed(EvidenceError, "not a seal, or corrupt"):
            return _read(stream, path.stat().st_size)
    except OSError as error:
        raise EvidenceError(f"cannot read the seal {path}: {error.strerror or error}") from error
    except ClaimError as error:
        raise type(error)(f"{path}: {error}") from error


def _read(stream: IO[bytes], size: int) -> Bundle:
    line = stream.readline(MOST_LINE)
    if line and not line.startswith(b"{"):
        raise EvidenceError(
            "not a seal, whose first line is JSON; of a claim, `ownmark seal` makes one, and `ownmark open` opens it"
        )
    if not line.endswith(b"\n"):
        raise EvidenceError("not a seal, or truncated: its first line has no end")
    record = _checked_line(line[:-1])
    version, parts = record["version"], (_stamps(record["stamps"]), _opened(record["opened"]))
    bundle = Bundle(envelope.from_record(record["envelope"]), *parts, version=version)
    _ = bundle.commitment  # an unreadable commitment makes the bundle invalid
    if record["opening"] is not None:
        named = OPENING_KEYS - ({"secret"} if version == 1 else set())
        opened = canonical.record_of(record["opening"], named, "an opening")
        bundle = replace(bundle, opening=_opening(opened, _claim_data(opened, stream, size - len(line))))
    elif size > len(line):
        raise EvidenceError("unexpected data after the end of the seal")
    return bundle


def _checked_line(line: bytes) -> dict[str, Any]:
    record = canonical.loads(line)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise EvidenceError("not a seal")
    if not any(canonical.is_version(record.get("version"), version) for version in VERSIONS):
        told = f"seal of version {record.get('version')!r}, but this ownmark reads up to {VERSION}: update ownmark"
        raise EvidenceError(told)
    canonical.record_of(record, KEYS, "a seal")
    covered = {key: value for key, value in record.items() if key != "digest"}
    if record["digest"] != canonical.sha256(canonical.dumps(covered)):
        raise EvidenceError("the seal was modified after it was written: its digest does not match its content")
    return record


def _stamps(value: object) -> tuple[Stamp, ...]:
    if not isinstance(value, list) or len(value) > MOST_STAMPS:
        raise EvidenceError(f"the timestamps must be a list of at most {MOST_STAMPS}")
    return tuple(map(timestamp.from_record, value))


def _opened(value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(map(canonical.is_count, value)) or len(set(value)) != len(value):
        raise EvidenceError("the opened sets must be a list of distinct integers")
    return tuple(value)


def _claim_data(opened: dict[str, Any], stream: IO[bytes], size: int) -> bytes:
    if opened["bytes"] != size or isinstance(opened["bytes"], bool):
        raise EvidenceError(f"expected {opened['bytes']} bytes of a claim, got {size}: the file is truncated or extended")
    if size > MOST_CLAIM:
        raise EvidenceError(f"the claim in it is larger than {MOST_CLAIM // 2**30} GiB, the limit for claims")
    data = stream.read(size)
    if canonical.sha256(data) != opened["claim"]:
        raise EvidenceError("the claim in it was modified after it was opened")
    return data


def _opening(record: dict[str, Any], data: bytes) -> Opening:
    number, proofs = record["set"], record["proofs"]
    if number is not None and not canonical.is_count(number):
        raise EvidenceError(f"the number of a set must be an integer, got {number!r}")
    if not isinstance(proofs, list):
        raise EvidenceError("the proofs must be a list of lists of digests")
    secret = record.get("secret", "")
    if secret != "" and not canonical.is_digest(secret):
        raise EvidenceError("the secret of a claim must be 64 hexadecimal digits, or empty")
    shown = bytes.fromhex(secret)
    return Opening(Claim.from_bytes(data), number, _digests(record["blinds"]), tuple(map(_digests, proofs)), shown)


def _digests(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not all(map(canonical.is_digest, value)):
        raise EvidenceError("blinds and proofs must be lists of 64 hexadecimal digits each")
    return tuple(map(bytes.fromhex, value))
