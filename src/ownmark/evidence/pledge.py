"""A pledge: what an owner commits to before a public pulse, so that no key can be tried once the pulse is known. No torch.

It contains the choices and the digests of the claim's secret and of every set's seed. It is signed and timestamped; the first
pulse after that enters the key of every set. All that is left to try is other pledges: as many as were timestamped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.x509 import Certificate

from ownmark import canonical
from ownmark.errors import EvidenceError, UsageError
from ownmark.evidence import beacon, choices, envelope, timestamp
from ownmark.evidence.allowance import MOST_PLEDGES
from ownmark.evidence.beacon import Pulse, Trusted
from ownmark.evidence.choices import Choices
from ownmark.evidence.commitment import STATEMENT, STATEMENT_KEYS
from ownmark.evidence.drand import Round
from ownmark.evidence.envelope import Envelope
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.timestamp import Stamp
from ownmark.files import write_whole
from ownmark.scoring.null_models import KeyedLabels

VERSION, FORMAT = 1, "ownmark pledge"
PREDICATE = "urn:ownmark:pledge:1"
KEYS = frozenset({"version", "owner", "choices", "secret", "seeds", "pledges"})
RECORD_KEYS = frozenset({"envelope", "stamps", "pulse"})
MOST_STAMPS, MOST_BYTES = 16, 2**22


@dataclass(frozen=True)
class Pledge:
    """A signed pledge with its timestamps and, once published, the pulse."""

    envelope: Envelope
    stamps: tuple[Stamp, ...] = ()
    pulse: Pulse | Round | None = None

    @property
    def told(self) -> dict[str, Any]:
        """The content of the pledge. Raises EvidenceError for an invalid statement."""
        statement = canonical.record_of(canonical.loads(self.envelope.payload), STATEMENT_KEYS, "a statement")
        if statement["predicateType"] != PREDICATE:
            raise EvidenceError(f"expected a statement about {PREDICATE}, got {statement['predicateType']!r}")
        found = canonical.record_of(statement["predicate"], KEYS, "a pledge")
        seeds, count = found["seeds"], found["pledges"]
        if not isinstance(seeds, list) or not all(map(canonical.is_digest, (*seeds, found["secret"], found["owner"]))):
            raise EvidenceError("a pledge must name its owner, its secret and its seeds by 64 hexadecimal digits each")
        if not canonical.is_version(found["version"], VERSION) or not canonical.is_count(count, 1) or count > MOST_PLEDGES:
            raise EvidenceError(f"expected a pledge of version {VERSION}, one of at most {MOST_PLEDGES} by its owner")
        return found

    @property
    def record(self) -> dict[str, Any]:
        """JSON data."""
        stamps = [stamp.record for stamp in self.stamps]
        return {"envelope": self.envelope.record, "stamps": stamps, "pulse": self.pulse and self.pulse.record}

    def save(self, path: Path) -> None:
        """Write the file atomically."""
        write_whole(path, canonical.dumps({"format": FORMAT, "version": VERSION, **self.record}))

    def pledges(self, roots: Sequence[Certificate], beacons: Sequence[Trusted], now: datetime) -> int:
        """The number of pledges to count. Raises EvidenceError unless the pulse is the first after the pledge's timestamp."""
        told = self.told
        self.envelope.check(told["owner"])
        if self.pulse is None or not self.stamps:
            raise EvidenceError("a pledge needs a timestamp and the first pulse after it")
        self.pulse.check(beacons)
        time = min(timestamp.proven(stamp, self.envelope.data, roots, now) for stamp in self.stamps)
        _check_first(self.pulse, time)
        return int(told["pledges"])

    def check_seeds(self, labels: KeyedLabels, number: int | None, secret: bytes) -> None:
        """Raises EvidenceError unless what is opened was pledged: one set's seed, or all seeds and the secret."""
        told = self.told
        pledged = told["seeds"] if number is None else told["seeds"][number : number + 1]
        if [choices.digest_of(seed) for seed in labels.seeds] != pledged:
            raise EvidenceError("what is opened does not come from a pledged seed")
        if secret and choices.digest_of(secret) != told["secret"]:
            raise EvidenceError("the secret shown is not the pledged one")


def made(chosen: Choices, owner: OwnerKey, pledges: int) -> Pledge:
    """A new pledge without timestamps. `pledges`: how many this owner makes for the claim, this one included. Takes a second."""
    if not 1 <= pledges <= MOST_PLEDGES:
        raise UsageError(f"expected 1 to {MOST_PLEDGES} pledges, got {pledges}: p pays for each of them")
    predicate = {
        "version": VERSION,
        "owner": owner.public,
        "choices": chosen.record,
        "secret": choices.digest_of(chosen.secret(owner.secret)),
        "seeds": [choices.digest_of(seed) for seed in chosen.null(owner.secret).seeds],
        "pledges": pledges,
    }
    subject = [{"name": "choices", "digest": {"sha256": chosen.digest}}]
    statement = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": predicate}
    return Pledge(envelope.signed(canonical.dumps(statement), owner))


def with_pulse(pledge: Pledge, pulse: Pulse | Round) -> Pledge:
    """The pledge with its pulse. Raises EvidenceError unless it is the first pulse after the timestamp."""
    if not pledge.stamps:
        raise UsageError("timestamp the pledge first (--tsa URL), then wait for the next pulse")
    _check_first(pulse, min(stamp.time for stamp in pledge.stamps))
    return replace(pledge, pulse=pulse)


def read(path: Path) -> Pledge:
    """The pledge in a file. Raises EvidenceError."""
    try:
        data = path.read_bytes() if path.stat().st_size <= MOST_BYTES else b""
    except OSError as error:
        raise EvidenceError(f"cannot read the pledge {path}: {error.strerror or error}") from error
    record = canonical.record_of(canonical.loads(data), RECORD_KEYS | {"format", "version"}, "a pledge's file")
    if record.pop("format") != FORMAT or not canonical.is_version(record.pop("version"), VERSION):
        raise EvidenceError(f"{path} is not a pledge of version {VERSION}")
    return from_record(record)


def from_record(value: object) -> Pledge:
    """The pledge that `Pledge.record` described. Raises EvidenceError."""
    record = canonical.record_of(value, RECORD_KEYS, "a pledge")
    stamps = record["stamps"]
    if not isinstance(stamps, list) or len(stamps) > MOST_STAMPS:
        raise EvidenceError(f"the timestamps of a pledge must be a list of at most {MOST_STAMPS}")
    pulse = None if record["pulse"] is None else beacon.from_record(record["pulse"])
    found = Pledge(envelope.from_record(record["envelope"]), tuple(map(timestamp.from_record, stamps)), pulse)
    _ = found.told  # raises EvidenceError if it is invalid
    return found


def _check_first(pulse: Pulse | Round, time: datetime) -> None:
    """Raises EvidenceError unless the pulse is the first after `time`: each later pulse would be another key to try."""
    after = time + timestamp.ACCURACY
    if not after < pulse.time <= after + pulse.period:
        stamped, published = (f"{one:%Y-%m-%d %H:%M:%S} UTC" for one in (time, pulse.time))
        raise EvidenceError(f"the pulse of {published} is not the first after the pledge's timestamp, {stamped}")
