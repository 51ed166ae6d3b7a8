#!/usr/bin/env bash
# Expected: a statement's predicate keeps the whole numbers it is given, as the JSON of in-toto's other implementations does, so
# that it has one digest.
# Happens: the predicate is a protobuf Struct, which knows doubles only: 19 is written as 19.0, and a seed of 2**53 + 1 loses its
# last digit, without a warning.
source "$(dirname "$0")/_venv.sh" in-toto-attestation==0.9.3
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata
import json

from google.protobuf.json_format import MessageToDict
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

print("in-toto-attestation", importlib.metadata.version("in-toto-attestation"))
given = {"asked": 19, "seed": 2**53 + 1}
subject = ResourceDescriptor(name="model.onnx", digest={"sha256": "ab" * 32})
statement = Statement([subject.pb], "https://example.org/verdict/v1", given)
statement.validate()
written = json.dumps(MessageToDict(statement.pb)["predicate"], sort_keys=True)
print(f"given {json.dumps(given)}, written {written}")
if written != '{"asked": 19.0, "seed": 9007199254740992.0}':
    raise SystemExit("changed")
PYTHON
