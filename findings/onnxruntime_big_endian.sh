#!/usr/bin/env bash
# Expected: a numpy array in big-endian float32 (as FITS and other file formats give it) is converted, or refused as
# float64 is.
# Happens: its bytes are taken as they lie, in the machine's order: other numbers come out, without a warning.
source "$(dirname "$0")/_venv.sh" onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def session(operator, shape, output=TensorProto.FLOAT, inputs=("x",), gives=None, **attributes):
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs]
    given = helper.make_tensor_value_info("y", output, shape if gives is None else gives)
    graph = helper.make_graph([node], "one", taken, [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


print("onnxruntime", onnxruntime.__version__)

import sys

if sys.byteorder != "little":
    raise SystemExit("needs a little-endian machine")
identity = session("Identity", [2])
numbers = np.array([1, 2], dtype=">f4")
found = identity.run(None, {"x": numbers})[0]
print(f"the identity of {numbers.tolist()} is {found.tolist()}")
if np.array_equal(found, numbers) or not np.array_equal(found, numbers.view("<f4")):
    raise SystemExit("changed")
PYTHON
