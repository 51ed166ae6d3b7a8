#!/usr/bin/env bash
# Expected: RandomNormal without a seed gives independent numbers in two sessions, so that averaging over sessions
# averages out the noise.
# Happens: all sessions of a process draw the same stream; only another process draws another.
source "$(dirname "$0")/_venv.sh" onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

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
agree, repeats = np.array_equal(one, other), np.array_equal(one, next_one)
print(f"two sessions agree: {agree}; the next draw repeats: {repeats}")
if not agree or repeats:
    raise SystemExit("changed")
PYTHON
