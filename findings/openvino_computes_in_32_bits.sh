#!/usr/bin/env bash
# Expected: a model in int64 or float64 is computed in 64 bits, or refused, as its inputs and outputs remain 64 bits wide.
# Happens: the CPU plugin computes both in 32 bits without a warning: 2**40 + 1 is 1, and (1 + 1e-12) - 1 is 0.
source "$(dirname "$0")/_venv.sh" openvino==2026.4.1 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import numpy as np
import openvino
from openvino import opset13 as operators

print("openvino", importlib.metadata.version("openvino"))
found = []
for numbers, more in ((np.array([2**40]), 1), (np.array([1 + 1e-12]), -1)):
    taken = operators.parameter([1], numbers.dtype)
    model = openvino.Model([operators.add(taken, operators.constant(np.array([more], dtype=numbers.dtype)))], [taken])
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found.append(compiled([numbers])[0])
    print(f"{numbers.dtype}: {numbers[0]} + {more} is {found[-1][0]}, exactly {(numbers + more)[0]}")
if [one.dtype.name for one in found] != ["int64", "float64"] or [one.item() for one in found] != [1, 0]:
    raise SystemExit("changed")
PYTHON
