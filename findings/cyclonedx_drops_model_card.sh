#!/usr/bin/env bash
# Expected: reading a valid CycloneDX 1.6 document and writing it again keeps its content, or raises where the library
# cannot.
# Happens: a machine-learning model's `modelCard` is gone after the round trip, without a warning.
source "$(dirname "$0")/_venv.sh" cyclonedx-python-lib==11.12.0
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6

print("cyclonedx-python-lib", importlib.metadata.version("cyclonedx-python-lib"))
card = {"modelParameters": {"task": "classification"}}
model = {"type": "machine-learning-model", "name": "model", "bom-ref": "model", "modelCard": card}
document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [model]}
written = JsonV1Dot6(Bom.from_json(document)).output_as_string()
print(f"the model is kept: {'machine-learning-model' in written}; its modelCard is kept: {'modelCard' in written}")
if "machine-learning-model" not in written or "modelCard" in written:
    raise SystemExit("changed")
PYTHON
