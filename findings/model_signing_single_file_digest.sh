#!/usr/bin/env bash
# Expected: the subject of the statement that model-signing signs about one file is the file's SHA-256, by its name, so that other
# attestations about the file (in-toto, SLSA) name the same subject.
# Happens: the subject is SHA-256 over the digest's bytes, and the file's own digest stands in the predicate under the name ".".
source "$(dirname "$0")/_venv.sh" model-signing==1.1.1 "pyOpenSSL>=26"
"$venv/bin/python" - <<'PYTHON'
import hashlib
import importlib.metadata
import pathlib
import tempfile

from model_signing import hashing
from model_signing._signing.signing import Payload

print("model-signing", importlib.metadata.version("model-signing"))
file = pathlib.Path(tempfile.mkdtemp(), "model.onnx")
file.write_bytes(b"weights")
own = hashlib.sha256(b"weights")
manifest = hashing.Config().hash(file)
subject = Payload(manifest).statement.pb.subject[0]
(resource,) = manifest.resource_descriptors()
told = subject.digest["sha256"]
print(f"the subject {subject.name} is the file's digest: {told == own.hexdigest()}; it is the digest of the digest: "
      f"{told == hashlib.sha256(own.digest()).hexdigest()}; the file's own digest is that of {resource.identifier!r}")
if told == own.hexdigest():
    raise SystemExit("changed")
PYTHON
