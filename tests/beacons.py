"""A beacon of the test's own: pulses in the format of the NIST Randomness Beacon 2.0, signed by a certificate of its own."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha512
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ZERO = "00" * 64


@cache
def _key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048 + 8 * number)


@dataclass(frozen=True)
class Beacon:
    """Publishes a pulse for every whole minute."""

    number: int = 0
    start: datetime = field(default_factory=lambda: datetime(2000, 1, 1, tzinfo=UTC))
    end: datetime = field(default_factory=lambda: datetime(2150, 1, 1, tzinfo=UTC))

    @property
    def certificate(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"beacon {self.number}")])
        key = _key(self.number)
        built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        return built.not_valid_before(self.start).not_valid_after(self.end).sign(key, SHA512())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def after(self, moment: datetime, **changes: Any) -> bytes:
        """The JSON of the first pulse after a moment; `changes`: of its fields, before it is signed."""
        minute = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        index = int(minute.timestamp()) // 60
        uri = f"http://beacon/beacon/2.0/chain/1/pulse/{index}"
        drawn = sha512(f"{self.number} {index}".encode()).hexdigest().upper()
        earlier = [
            {"uri": f"{uri}/{kind}", "type": kind, "value": sha512(kind.encode()).hexdigest()}
            for kind in ("previous", "hour", "day", "month", "year")
        ]
        record: dict[str, Any] = {
            "uri": uri,
            "version": "Version 2.0",
            "cipherSuite": 0,
            "period": 60000,
            "certificateId": sha512(self.certificate.public_bytes(Encoding.DER)).hexdigest(),
            "chainIndex": 1,
            "pulseIndex": index,
            "timeStamp": minute.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "localRandomValue": drawn,
            "external": {"sourceId": ZERO, "statusCode": 0, "value": ZERO},
            "listValues": earlier,
            "precommitmentValue": ZERO,
            "statusCode": 0,
        }
        record |= changes
        message = signed(record)
        signature = _key(self.number).sign(message, PKCS1v15(), SHA512())
        output = sha512(message + signature).hexdigest().upper()
        return json.dumps({"pulse": {**record, "signatureValue": signature.hex().upper(), "outputValue": output}}).encode()


def signed(record: Any) -> bytes:
    """The fields that are signed, one by one, as the draft of NISTIR 8213 lists them."""
    message: bytes = b""
    for name in ("uri", "version"):
        message += len(record[name]).to_bytes(4, "big") + record[name].encode()
    message += record["cipherSuite"].to_bytes(4, "big") + record["period"].to_bytes(4, "big")
    message += (64).to_bytes(4, "big") + bytes.fromhex(record["certificateId"])
    message += record["chainIndex"].to_bytes(8, "big") + record["pulseIndex"].to_bytes(8, "big")
    message += len(record["timeStamp"]).to_bytes(4, "big") + record["timeStamp"].encode()
    message += (64).to_bytes(4, "big") + bytes.fromhex(record["localRandomValue"])
    outside = record["external"]
    message += (64).to_bytes(4, "big") + bytes.fromhex(outside["sourceId"]) + outside["statusCode"].to_bytes(4, "big")
    message += (64).to_bytes(4, "big") + bytes.fromhex(outside["value"])
    for one in record["listValues"]:
        message += (64).to_bytes(4, "big") + bytes.fromhex(one["value"])
    message += (64).to_bytes(4, "big") + bytes.fromhex(record["precommitmentValue"]) + record["statusCode"].to_bytes(4, "big")
    return message
