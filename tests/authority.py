"""A timestamp authority of one's own: certificates as a test wants them, and `openssl ts` behind an address on 127.0.0.1."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from loopback import Asked, Said, serving

CONFIG = """
[authority]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha512
accuracy = secs:1
ordering = no
tsa_name = no
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
DAY = timedelta(days=1)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


@dataclass(frozen=True)
class Authority:
    """Answers requests with the certificate in `folder`, which `root` has issued."""

    folder: Path
    root: x509.Certificate

    def reply(self, request: bytes, chain: tuple[x509.Certificate, ...] = ()) -> bytes:
        """The DER answer to a DER request, stamped with the machine's time, with more certificates than the authority's own."""
        (self.folder / "request").write_bytes(request)
        (self.folder / "chain.pem").write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in chain))
        query = ["-config", "config", "-section", "authority", "-queryfile", "request"]
        more = ["-chain", "chain.pem"] if chain else []
        return self._openssl("ts", "-reply", *query, "-inkey", "key.pem", "-signer", "signer.pem", *more)

    def resigned(self, answer: bytes, at: datetime | None = None) -> bytes:
        """Another authority's answer, with another time if one is given, signed by this one, whatever its certificate is for."""
        (self.folder / "token").write_bytes(answer)
        plain = self._openssl("ts", "-reply", "-in", "token", "-token_out")
        (self.folder / "token").write_bytes(plain)
        told = self._openssl("cms", "-verify", "-noverify", "-inform", "DER", "-in", "token")
        was = re.search(rb"\x18\x0f(\d{14}Z)", told)
        assert was is not None
        (self.folder / "told").write_bytes(told.replace(was[1], at.strftime("%Y%m%d%H%M%SZ").encode()) if at else told)
        kind = ["-econtent_type", "1.2.840.113549.1.9.16.1.4", "-cades", "-md", "sha256"]
        signer = ["-signer", "signer.pem", "-inkey", "key.pem"]
        token = self._openssl("cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", "told", *kind, *signer)
        granted = bytes.fromhex("3003020100")
        return b"\x30\x82" + (len(granted) + len(token)).to_bytes(2, "big") + granted + token

    def _openssl(self, *words: str) -> bytes:
        """What openssl writes."""
        call = ["openssl", *words, "-out", "written"]
        ran = subprocess.run(call, cwd=self.folder, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr.decode()
        return (self.folder / "written").read_bytes()


def authority(
    folder: Path, *, purpose: bool = True, critical: bool = True, start: timedelta = -DAY, end: timedelta = 365 * DAY
) -> Authority:
    """A new authority whose certificate is valid from now + `start` to now + `end`."""
    folder.mkdir(parents=True)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    whole = x509.BasicConstraints(ca=True, path_length=None)
    root = _certificate("root", "root", root_key, root_key, (min(start, -DAY), 3650 * DAY)).add_extension(whole, critical=True)
    signed_root = root.sign(root_key, SHA256())
    signer = _certificate("authority", "root", key, root_key, (start, end))
    if purpose:
        signer = signer.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=critical)
    (folder / "signer.pem").write_bytes(signer.sign(root_key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "config").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    (folder / "serial").write_text("01\n", encoding="utf-8")
    return Authority(folder, signed_root)


@contextmanager
def serving_timestamps(one: Authority) -> Iterator[str]:
    """The address of the authority."""

    def script(asked: Asked) -> Said:
        assert asked.headers["content-type"] == "application/timestamp-query"
        return Said(one.reply(asked.body), headers={"content-type": "application/timestamp-reply"})

    with serving(script) as server:
        yield f"{server.url}/tsr"


def _certificate(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey, span: tuple[timedelta, timedelta]
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + span[0])
        .not_valid_after(now + span[1])
        .add_extension(own, critical=False)
        .add_extension(above, critical=False)
    )
