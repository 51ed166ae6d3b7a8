#!/usr/bin/env bash
# Expected: a stable hash of Python objects tells arrays of different numbers apart, or refuses what it does not know with a TypeError.
# Happens: from Python 3.11 on every object has `__getstate__`, which stablehash takes for a description of it; for an object of
# C code it is None: all arrays, tensors, bytearrays, ranges and complex numbers hash alike, alone and as the values of a dict.
source "$(dirname "$0")/_venv.sh" stablehash==0.3.0 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys
from decimal import Decimal

import numpy as np
from stablehash import stablehash

print("stablehash", importlib.metadata.version("stablehash"), "Python", sys.version.split()[0])
alike = {}
for one, other in (
    (np.zeros(2), np.ones((3, 4))),
    (np.float32(1), np.float32(2)),
    (bytearray(b"a"), bytearray(b"b")),
    (1j, 2j),
    (Decimal(1), Decimal(2)),
    ([1.0, 2.0], [1.0, 3.0]),
):
    alike[type(one).__name__] = stablehash({"weights": one}) == stablehash({"weights": other})
    print(f"{type(one).__name__} {one!r:.20} and {other!r:.20} hash alike: {alike[type(one).__name__]}")
if [name for name, same in alike.items() if not same] != ["list"]:
    raise SystemExit("changed")
PYTHON
