"""A signed statement: in-toto Statement v1 in a DSSE envelope, one Ed25519 signature. No torch."""

from dataclasses import dataclass
from typing import Any

from ownmark import canonical
from ownmark.errors import EvidenceError
from ownmark.evidence.owner import OwnerKey, check_signature

PAYLOAD_TYPE = "application/vnd.in-toto+json"
KEYS = frozenset({"payload", "payloadType", "signatures"})
SIGNATURE_KEYS = frozenset({"keyid", "sig"})


@dataclass(frozen=True)
class Envelope:
    """`payload`: what is signed; `keyid`: SHA-256 of the raw public key; `signature`: 64 bytes."""

    payload: bytes
    keyid: str
    signature: bytes

    @property
    def record(self) -> dict[str, Any]:
        """DSSE's JSON."""
        signature = {"keyid": self.keyid, "sig": canonical.in_base64(self.signature)}
        return {"payload": canonical.in_base64(self.payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}

    @property
    def data(self) -> bytes:
        """The canonical bytes that a timestamp covers."""
        return canonical.dumps(self.record)

    @property
    def digest(self) -> str:
        """The permanent identifier of this seal, whatever timestamps are added later."""
        return canonical.sha256(self.data)

    def check(self, public: str) -> None:
        """Raises EvidenceError unless the owner of this public key signed the payload."""
        if self.keyid != keyid(public):
            raise EvidenceError(f"the envelope was signed by the key {self.keyid[:16]}..., not by the owner it names")
        check_signature(public, self.signature, pae(PAYLOAD_TYPE, self.payload))


def signed(payload: bytes, owner: OwnerKey) -> Envelope:
    """The envelope of a payload."""
    return Envelope(payload, keyid(owner.public), owner.sign(pae(PAYLOAD_TYPE, payload)))


def from_record(value: object) -> Envelope:
    """The envelope that `Envelope.record` described. Raises EvidenceError."""
    record = canonical.record_of(value, KEYS, "an envelope")
    if record["payloadType"] != PAYLOAD_TYPE:
        raise EvidenceError(f"expected an envelope of {PAYLOAD_TYPE}, got {record['payloadType']!r}")
    signatures = record["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise EvidenceError("an envelope must have exactly one signature")
    signature = canonical.record_of(signatures[0], SIGNATURE_KEYS, "a signature")
    if not canonical.is_digest(signature["keyid"]):
        raise EvidenceError("a signature must name its key by 64 hexadecimal digits")
    return Envelope(canonical.from_base64(record["payload"]), signature["keyid"], canonical.from_base64(signature["sig"]))


def pae(kind: str, body: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the signature also covers the payload type."""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(body), body)


def keyid(public: str) -> str:
    """The identifier of a public key."""
    return canonical.sha256(bytes.fromhex(public))
