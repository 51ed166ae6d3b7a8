#!/usr/bin/env bash
# Expected: a graph with a scalar input takes `np.float32(0)`, which is what `array.sum()` or `array[0]` returns.
# Happens: it raises RuntimeError; the 0-d array `np.array(0, dtype=np.float32)`, which prints the same, is taken.
set -euo pipefail
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
venv=${FINDINGS_VENV:-$temporary/venv}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$temporary"
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

scalar = session("Sigmoid", [])
print("a 0-d array:", scalar.run(None, {"x": np.array(0, dtype=np.float32)})[0])
try:
    scalar.run(None, {"x": np.float32(0)})
except RuntimeError as error:
    print("a numpy scalar:", error)
else:
    raise SystemExit("changed: it is taken")
PYTHON
