"""A judge's verdict as a file: all inputs by digest, all answers, and what follows, signed by the judge. No torch.

The file is DSSE's JSON of an in-toto statement. Everything but `ruling` is what the judge brought or recorded; `recomputed`
derives the ruling again from that and the opened seal, and compares the bytes. Verdicts of every version remain readable for
ever. The ruling of version 1 is kept beside what its record deserves now, since later versions know of forgeries that it did not;
those of versions 2 and 3 are derived by the rules of their version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate, load_der_x509_certificate

from ownmark import canonical
from ownmark.canonical import from_base64, in_base64
from ownmark.errors import EvidenceError, blamed
from ownmark.evidence import beacon, envelope, inputs
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.allowance import MOST_PLEDGES
from ownmark.evidence.bundle import Bundle
from ownmark.evidence.commitment import STATEMENT, STATEMENT_KEYS
from ownmark.evidence.envelope import Envelope, signed
from ownmark.evidence.owner import OwnerKey
from ownmark.evidence.ruling import Outcome, Rules, Ruling, Session, ruled
from ownmark.keys import Pixels
from ownmark.querying import transcript

VERSION = 4
RULES = {2: Rules(able=False, near=False), 3: Rules(near=False)}  # of versions whose rulings are reproduced to the byte
PREDICATES = {f"urn:ownmark:verdict:{version}": version for version in range(1, VERSION + 1)}
KEYS = frozenset({"version", "judge", "bundle", "trust", "seen", "session", "environment", "ruling"})
TRUST_KEYS = frozenset({"roots", "owner", "withdrawn", "opened", "pool", "now", "alpha", "beacons", "pledges"})
NEW_TRUST = {"alpha", "beacons", "pledges"}  # new in version 2; later ones differ in their rules alone
SESSION_KEYS = frozenset({"heard", "nonce", "classes", "decoys"})


@dataclass(frozen=True, eq=False)
class Judged:
    """What a judge brought and recorded: `bundle` the opened seal, `decoys`: digest of the decoys, "" without.

    `version`: of the verdict; `was`: JSON data of the ruling in a verdict of version 1, None for later ones.
    """

    bundle: Bundle
    trust: Trust
    seen: datetime
    session: Session
    environment: Mapping[str, str]
    decoys: str = ""
    version: int = VERSION
    was: Mapping[str, Any] | None = None

    @cached_property
    def ruling(self) -> Ruling:
        """What follows from it. Raises EvidenceError if the seal is not genuine."""
        return self.ruled_by(RULES.get(self.version, Rules()))

    def ruled_by(self, rules: Rules) -> Ruling:
        """What follows by these rules. Raises EvidenceError if the seal is not genuine."""
        return ruled(checked(self.bundle, self.trust, self.seen), self.session, rules)

    def to_bytes(self, judge: str) -> bytes:
        """The statement that the judge with this public key signs."""
        suspect = self.session.suspect
        subject = [{"name": "seal", "digest": {"sha256": self.bundle.digest}}]
        subject += [{"name": "suspect", "digest": {"sha256": suspect.digest}}] if suspect.digest else []
        predicate = {
            "version": self.version,
            "judge": judge,
            "bundle": canonical.sha256(self.bundle.to_bytes()),
            "trust": _trust(self.trust, self.version),
            "seen": self.seen.isoformat(),
            "session": {
                "heard": [one.record for one in self.session.heard],
                "nonce": self.session.nonce.hex(),
                "classes": self.session.classes.tolist(),
                "decoys": self.decoys,
            },
            "environment": dict(self.environment),
            "ruling": ruling_record(self.ruling) if self.was is None else dict(self.was),
        }
        kind = next(name for name, version in PREDICATES.items() if version == self.version)
        return canonical.dumps({"_type": STATEMENT, "subject": subject, "predicateType": kind, "predicate": predicate})

    def signed(self, judge: OwnerKey) -> Envelope:
        """The verdict."""
        return signed(self.to_bytes(judge.public), judge)


@dataclass(frozen=True, eq=False)
class Recomputed:
    """A recomputed verdict, identical to the byte except for a ruling of version 1; `judge`: the public key that signed it."""

    judged: Judged
    judge: str


@dataclass(frozen=True)
class Expected:
    """Whom a verifier of a verdict expects. `judge`, `owner`: public keys, "": anyone; `roots`: None: any."""

    judge: str = ""
    owner: str = ""
    roots: tuple[Certificate, ...] | None = None

    def check(self, found: Recomputed) -> None:
        """Raises EvidenceError for a verdict by another judge, on another owner's seal, or by roots that are not trusted."""
        if self.judge and found.judge != self.judge:
            raise EvidenceError(f"the verdict was signed by the judge {found.judge[:16]}..., not by {self.judge[:16]}...")
        owner = found.judged.bundle.commitment.owner
        if self.owner and owner != self.owner:
            raise EvidenceError(f"sealed by the key {owner[:16]}..., but the claimant's is {self.owner[:16]}...")
        if self.roots is not None and not set(found.judged.trust.roots) <= set(self.roots):
            raise EvidenceError("the judge believed another timestamp authority than the roots that are named")


def recomputed(data: bytes, bundle: Bundle, pool: Pixels | None = None) -> Recomputed:
    """The verdict in a file's bytes, about this opened seal. Raises EvidenceError unless it follows, to the byte."""
    written = envelope.from_record(canonical.loads(data))
    predicate = _predicate(written.payload)
    judge = predicate["judge"]
    if not canonical.is_digest(judge):
        raise EvidenceError("a verdict names its judge's public key by 64 hexadecimal digits")
    written.check(judge)
    if predicate["bundle"] != canonical.sha256(bundle.to_bytes()):
        raise EvidenceError("the verdict is about another opened seal than this one")
    with blamed(EvidenceError, "the verdict's record cannot be read"):
        judged = _judged(predicate, bundle, pool)
    with blamed(EvidenceError, "no ruling follows from the verdict's record"):
        follows = judged.to_bytes(judge)
    if follows != written.payload:
        raise EvidenceError(f"the verdict does not follow from its own record, from which {judged.ruling.outcome} follows")
    return Recomputed(judged, judge)


def read_whole(path: Path) -> bytes:
    """A verdict's bytes. Raises EvidenceError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"cannot read the verdict {path}: {error.strerror or error}") from error


def _predicate(payload: bytes) -> dict[str, Any]:
    statement = canonical.record_of(canonical.loads(payload), STATEMENT_KEYS, "a statement")
    version = PREDICATES.get(statement["predicateType"]) if isinstance(statement["predicateType"], str) else None
    if version is None:
        raise EvidenceError(f"the statement is about {statement['predicateType']!r}, needed one of {', '.join(PREDICATES)}")
    predicate = canonical.record_of(statement["predicate"], KEYS, "a verdict")
    if not canonical.is_version(predicate["version"], version):
        raise EvidenceError(
            f"this is a verdict of version {predicate['version']!r}; this ownmark reads up to {VERSION}: update ownmark"
        )
    return predicate


def _judged(predicate: dict[str, Any], bundle: Bundle, pool: Pixels | None) -> Judged:
    told = canonical.record_of(predicate["session"], SESSION_KEYS, "a session")
    session = Session(
        tuple(map(transcript.from_record, told["heard"])),
        bytes.fromhex(told["nonce"]),
        np.array(told["classes"], dtype=np.int64),
    )
    version = predicate["version"]
    trust = _trust_of(predicate["trust"], pool, version)
    seen = datetime.fromisoformat(predicate["seen"])
    was = predicate["ruling"] if version == 1 else None
    return Judged(bundle, trust, seen, session, predicate["environment"], told["decoys"], version, was)


def _trust(trust: Trust, version: int) -> dict[str, Any]:
    whole = {
        "roots": [in_base64(root.public_bytes(Encoding.DER)) for root in trust.roots],
        "owner": trust.owner,
        "withdrawn": {key: when.isoformat() for key, when in trust.withdrawn.items()},
        "opened": sorted(trust.opened),
        "pool": "" if trust.pool is None else inputs.pool_digest(trust.pool, version),
        "now": trust.now.astimezone(UTC).isoformat(),
        "alpha": trust.alpha,
        "beacons": [in_base64(beacon.bytes_of(one)) for one in trust.beacons],
        "pledges": trust.pledges,
    }
    return whole if version > 1 else {name: value for name, value in whole.items() if name not in NEW_TRUST}


def _trust_of(value: object, pool: Pixels | None, version: int) -> Trust:
    record = canonical.record_of(value, TRUST_KEYS - (NEW_TRUST if version == 1 else set()), "what a judge trusted")
    trust = Trust(
        roots=tuple(map(_root, record["roots"])),
        owner=record["owner"],
        withdrawn={key: datetime.fromisoformat(when) for key, when in record["withdrawn"].items()},
        opened=frozenset(record["opened"]),
        now=datetime.fromisoformat(record["now"]),
        alpha=record.get("alpha"),
        beacons=tuple(beacon.of_bytes(from_base64(one)) for one in record.get("beacons", [])),
        pledges=record.get("pledges", MOST_PLEDGES),
    )
    if not record["pool"]:
        return trust
    if pool is None or inputs.pool_digest(pool, version) != record["pool"]:
        raise EvidenceError(f"the judge had the pool {record['pool'][:16]}...: bring the same one")
    return replace(trust, pool=pool)


def _root(text: str) -> Certificate:
    return load_der_x509_certificate(from_base64(text))


def ruling_record(ruling: Ruling) -> dict[str, Any]:
    """JSON data of the ruling; fractions as text of six digits, which every machine computes alike."""
    return {
        "outcome": ruling.outcome.value,
        "reason": ruling.reason,
        "log10_p": f"{ruling.log10_p:.6g}",
        "score": f"{ruling.finding.score:.6g}",
        "interval": [f"{end:.6g}" for end in ruling.finding.interval],
        "steps": [{"name": step.name, "passed": step.passed, "told": step.told} for step in ruling.steps],
        "missing_strata": [one.value for one in ruling.missing],
    }


EXIT_CODES = {
    Outcome.STRONG: 0,
    Outcome.SUPPORTING: 0,
    Outcome.NO_MATCH: 1,
    Outcome.INCONCLUSIVE: 3,
    Outcome.INADMISSIBLE: 4,
    Outcome.REJECTED: 4,
}
