#!/usr/bin/env bash
# Expected: the same tensors and the same metadata give the same bytes, so that a digest of the file is a digest of
# its content.
# Happens: the order of the metadata's keys in the header changes from one save to the next, and with it the file's
# digest.
source "$(dirname "$0")/_venv.sh" safetensors==0.8.0 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import hashlib

import numpy as np
import safetensors
from safetensors.numpy import save

print("safetensors", safetensors.__version__)
metadata = {f"key{number}": "value" for number in range(8)}
files = [save({"x": np.zeros(2)}, metadata) for _ in range(20)]
digests = {hashlib.sha256(file).hexdigest() for file in files}
print(f"20 saves of the same content: {len(digests)} different digests")
if len(digests) == 1:
    raise SystemExit("changed: the bytes are the same each time")
PYTHON
