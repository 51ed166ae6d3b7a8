#!/usr/bin/env bash
# Expected: MLServer's NumpyCodec decodes what it encodes: class names such as "cat" as well as numbers.
# Happens: an array of names is encoded as two elements and decoded letter by letter: "cat" and "dog" raise a ValueError about six
# elements, and only names of one letter come back. As bytes they are joined into one element already when they are encoded.
source "$(dirname "$0")/_venv.sh" mlserver==1.7.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from mlserver.codecs import NumpyCodec

print("mlserver", importlib.metadata.version("mlserver"))
came_back = []
for names in (["a", "b"], ["cat", "dog"], [b"cat", b"dog"]):
    encoded = NumpyCodec.encode_output("label", np.array(names))
    told = f"{names} are encoded as {encoded.data.root} of the shape {encoded.shape}"
    try:
        decoded = NumpyCodec.decode_output(encoded).ravel().tolist()
    except ValueError as error:
        decoded = f"ValueError: {error}"
    came_back.append(decoded == [name if isinstance(name, bytes) else name.encode() for name in names])
    print(f"{told}, and decoded as {decoded}")
if came_back != [True, False, False]:
    raise SystemExit("changed")
PYTHON
