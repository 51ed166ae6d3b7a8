#!/usr/bin/env bash
# Expected: what an assertion of a C2PA manifest says as JSON is read again as it was written, as maps, texts and single numbers
# are.
# Happens: a list of numbers is read as base64 of bytes, which holds what fits into a byte: [1, 2, 300] is "AQIs" (1, 2, 44), and
# [0.5, 0.25] is "". A list with a text or with a list in it survives. The manifest counts as valid.
source "$(dirname "$0")/_venv.sh" c2pa-python==0.38.1 cryptography==50.0.2 pillow==13.0.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import datetime
import importlib.metadata
import io
import json

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

print("c2pa-python", importlib.metadata.version("c2pa-python"))
root, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
usages = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
          "crl_sign", "encipher_only", "decipher_only"]


def name(common):
    parts = ((NameOID.COMMON_NAME, common), (NameOID.ORGANIZATION_NAME, "example"))
    return x509.Name([x509.NameAttribute(*part) for part in parts])


def certificate(subject, public, ca, *more):
    made = x509.CertificateBuilder(name("root"), name(subject), public, x509.random_serial_number(), now - day, now + 30 * day)
    allowed = {"key_cert_sign", "crl_sign"} if ca else {"digital_signature"}
    for extension, critical in (
        (x509.BasicConstraints(ca, None), True),
        (x509.KeyUsage(**{usage: usage in allowed for usage in usages}), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False),
        *((extension, False) for extension in more),
    ):
        made = made.add_extension(extension, critical)
    return made.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


leaf = certificate("owner", key.public_key(), False, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]))
private = key.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)
chain = leaf + certificate("root", root.public_key(), True)
signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(c2pa.C2paSigningAlg.ES256, chain, private, None))
created = {"action": "c2pa.created", "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation"}
written = {
    "number": 300, "text": ["a", "b"], "both": [1, "a"], "lists": [[1, 300]], "bytes": [0, 1, 2], "whole": [1, 2, 300],
    "fractions": [0.5, 0.25],
}
assertions = [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}, {"label": "org.example.verdict", "data": written}]
manifest = {"claim_generator_info": [{"name": "example", "version": "1"}], "format": "image/png", "assertions": assertions}
plain, signed = io.BytesIO(), io.BytesIO()
Image.new("RGB", (64, 64)).save(plain, "PNG")
plain.seek(0)
c2pa.Builder(json.dumps(manifest)).sign(signer, "image/png", plain, signed)
signed.seek(0)
read = json.loads(c2pa.Reader("image/png", signed).json())
data = {one["label"]: one["data"] for one in read["manifests"][read["active_manifest"]]["assertions"]}["org.example.verdict"]
for label, value in written.items():
    print(f"{label}: written {value}, read {data[label]!r}")
print("the manifest's state:", read["validation_state"])
if [label for label, value in written.items() if data[label] != value] != ["bytes", "whole", "fractions"]:
    raise SystemExit("changed")
PYTHON
