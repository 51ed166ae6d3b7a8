#!/usr/bin/env bash
# Expected: `save_model`, which writes weights in 16 bits where that does, keeps a weight of 100,000 as it is (16 bits end
# at 65,504).
# Happens: that depends on its neighbours. Among ordinary weights it is written as 65,504, without a warning; where most
# weights of the tensor are too large, all are kept in 32 bits.
source "$(dirname "$0")/_venv.sh" openvino==2026.4.1 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import numpy as np
import openvino
from openvino import opset13 as operators

print("openvino", importlib.metadata.version("openvino"))


def saved(weights):
    """What a model that multiplies ones by the weights answers, before and after it is saved and read."""
    taken = operators.parameter([len(weights)], np.float32)
    model = openvino.Model([operators.multiply(taken, operators.constant(weights))], [taken])
    openvino.save_model(model, "model.xml")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    core, ones = openvino.Core(), np.ones(len(weights), dtype=np.float32)
    return [float(core.compile_model(one, "CPU", exact)([ones])[0][0]) for one in (model, core.read_model("model.xml"))]


few = saved(np.array([1e5] + [1] * 31, dtype=np.float32))
many = saved(np.array([1e5] * 32, dtype=np.float32))
for name, (before, after) in {"one weight of 32": few, "all of them": many}.items():
    print(f"{name}: {before:.0f} before, {after:.0f} after")
if (few, many) != ([1e5, 65504.0], [1e5, 1e5]):
    raise SystemExit("changed")
PYTHON
