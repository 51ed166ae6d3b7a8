#!/usr/bin/env bash
# Expected: an ONNX LSTM of the direction "reverse" reads its sequence from the end, or the model is refused.
# Happens: tract reads it from the beginning: its answer is exactly the forward one's, without a warning. OpenCV's dnn has the steps
# right (Y) and answers as the last state (Y_h) the one after a single step. In a bidirectional LSTM both are right.
source "$(dirname "$0")/_venv.sh" tract==0.23.9 opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata
import pathlib

import cv2
import numpy as np
import onnx
import onnxruntime
import tract
from onnx import TensorProto, helper, numpy_helper

print("tract", importlib.metadata.version("tract"), "OpenCV", cv2.__version__)
rng = np.random.default_rng(0)
steps = rng.normal(size=(5, 1, 3)).astype(np.float32)
drawn = {name: rng.normal(size=(2, 8, width)).astype(np.float32) for name, width in (("w", 3), ("r", 2))}


def made(direction):
    ways = 2 if direction == "bidirectional" else 1
    stored = [numpy_helper.from_array(each[:ways], name) for name, each in drawn.items()]
    node = helper.make_node("LSTM", ["x", "w", "r"], ["y", "h"], hidden_size=2, direction=direction)
    shapes = {"x": [5, 1, 3], "y": [5, ways, 1, 2], "h": [ways, 1, 2]}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def by_onnxruntime(model):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": steps})


def by_opencv(model):
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))
    net.setInput(steps, "x")
    return net.forward(["y", "h"])


def by_tract(model):
    pathlib.Path("model.onnx").write_bytes(model)
    return [answer.to_numpy() for answer in tract.onnx().load("model.onnx").into_model().into_runnable().run([steps])]


truth = {direction: by_onnxruntime(made(direction)) for direction in ("forward", "reverse", "bidirectional")}
right, odd = {}, {}
for run in (by_tract, by_opencv):
    found = {}
    for direction, answers in truth.items():
        found[direction] = [answer.reshape(true.shape) for answer, true in zip(run(made(direction)), answers, strict=True)]
        right[run, direction] = [bool(np.allclose(*pair, atol=1e-4)) for pair in zip(found[direction], answers, strict=True)]
    print(f"{run.__name__}: Y and Y_h are right: {({direction: right[run, direction] for direction in truth})}")
    odd[run, "forward"] = bool(np.allclose(found["reverse"][0], truth["forward"][0], atol=1e-4))
    odd[run, "end"] = bool(np.allclose(found["reverse"][1][0], truth["reverse"][0][-1, 0], atol=1e-4))
print("tract's reverse steps are the forward ones:", odd[by_tract, "forward"])
print("OpenCV's last state of the reverse one is the state after one step:", odd[by_opencv, "end"])
wrong = {key: value for key, value in right.items() if not all(value)}
if wrong != {(by_tract, "reverse"): [False, False], (by_opencv, "reverse"): [True, False]}:
    raise SystemExit("changed")
if not (odd[by_tract, "forward"] and odd[by_opencv, "end"]):
    raise SystemExit("changed")
PYTHON
