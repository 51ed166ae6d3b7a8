#!/usr/bin/env bash
# Expected: RandomNormal without a seed gives independent numbers in two sessions, so that averaging over sessions
# averages out the noise.
# Happens: all sessions of a process draw the same stream; only another process draws another.
set -euo pipefail
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
venv=${FINDINGS_VENV:-$temporary/venv}
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
cd "$temporary"
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def session(operator, shape, output=TensorProto.FLOAT, inputs=("x",), gives=None, **attributes):
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs]
    graph = helper.make_graph([node], "one", taken, [helper.make_tensor_value_info("y", output, shape if gives is None else gives)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


print("onnxruntime", onnxruntime.__version__)

graph = helper.make_graph(
    [helper.make_node("RandomNormal", [], ["y"], shape=[4])],
    "noise",
    [],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString()
first, second = (onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]) for _ in range(2))
one, other, next_one = (which.run(None, {})[0] for which in (first, second, first))
print(f"two sessions agree: {np.array_equal(one, other)}; the next draw of one is another: {not np.array_equal(one, next_one)}")
if not np.array_equal(one, other) or np.array_equal(one, next_one):
    raise SystemExit("changed")
PYTHON
