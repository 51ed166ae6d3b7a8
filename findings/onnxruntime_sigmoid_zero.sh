#!/usr/bin/env bash
# Expected: sigmoid(-20) is about 2.1e-9: float32 holds numbers down to 1e-38, so its logarithm is about -20.
# Happens: on the CPU everything from -18 down gives exactly 0, so that a logarithm of it is minus infinity.
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

values = np.array([-15, -17, -18, -20, -50], dtype=np.float32)
found = session("Sigmoid", [5]).run(None, {"x": values})[0]
exact = 1 / (1 + np.exp(-values.astype(np.float64)))
for value, one, true in zip(values, found, exact, strict=True):
    print(f"sigmoid({value:.0f}): {one:.3g}, exactly {true:.3g}")
if not found[1] > 0 or found[2:].any():
    raise SystemExit("changed")
PYTHON
