#!/usr/bin/env bash
# Expected: onnx's version converter gives a model of another opset with the same answers, or raises, as it does for a Hardmax.
# Happens: a Softmax or LogSoftmax of opset 13 is taken to opset 11 with its axis, which meant something else then: over all axes
# from there on, not over that one. A softmax over the channels of each pixel becomes one over the whole image, without a warning.
source "$(dirname "$0")/_venv.sh" onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, version_converter

print("onnx", importlib.metadata.version("onnx"))
scores = np.random.default_rng(0).normal(size=(1, 3, 4, 4)).astype(np.float32)


def ask(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": scores})[0]


sums = {}
for axis in (1, 3):
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, scores.shape) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["y"], axis=axis)], "one", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    old = version_converter.convert_version(model, 11)
    sums[axis] = [float(ask(each).sum(axis).mean()) for each in (model, old)]
    print(f"axis {axis} of 4: the probabilities sum to {sums[axis][0]:.4f} in opset 13 and to {sums[axis][1]:.4f} in opset 11")
if not (abs(sums[1][0] - 1) < 1e-5 and abs(sums[1][1] - 1 / 16) < 1e-5 and np.allclose(sums[3], 1)):
    raise SystemExit("changed")
PYTHON
