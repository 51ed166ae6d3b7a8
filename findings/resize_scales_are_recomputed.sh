#!/usr/bin/env bash
# Expected: an ONNX Resize by given scales uses these scales to find where a pixel comes from, as ONNX says and onnxruntime and its
# reference do: 9 pixels by 0.6 are 5, each 1 / 0.6 of a pixel from the next.
# Happens: TVM and OpenCV's dnn take the ratio of the two sizes, 5 / 9, instead: half the range of a noisy image away, without a
# warning. Where the sizes have the scale as their ratio (10 pixels by 0.6) they agree.
source "$(dirname "$0")/_venv.sh" apache-tvm==0.27.0.post1 opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 \
    numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import cv2
import numpy as np
import onnx
import onnxruntime
import tvm
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from tvm import relax
from tvm.relax.frontend.onnx import from_onnx

print("TVM", importlib.metadata.version("apache-tvm"), "OpenCV", cv2.__version__)


def by_onnxruntime(model, image):
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": image})[0]


def by_reference(model, image):
    return ReferenceEvaluator(model).run(None, {"x": image})[0]


def by_opencv(model, image):
    net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
    net.setInput(image, "x")
    return net.forward("y")


def by_tvm(model, image):
    machine = relax.VirtualMachine(tvm.compile(from_onnx(model), target="llvm"), tvm.cpu())
    return machine["main"](tvm.runtime.tensor(image)).numpy()


changed = False
for side, smaller in ((10, 6), (9, 5)):
    image = np.random.default_rng(0).random((1, 1, side, side), dtype=np.float32)
    sides = {"x": [1, 1, side, side], "y": [1, 1, smaller, smaller]}
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in sides.items()]
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 0.6, 0.6])
    graph = helper.make_graph([helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear")], "one", ports[:1], ports[1:], [scales])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    truth = by_onnxruntime(model, image)
    away = {run.__name__: float(np.abs(run(model, image) - truth).max()) for run in (by_reference, by_tvm, by_opencv)}
    print(f"{side} pixels by 0.6: off from onnxruntime by {({name: round(value, 3) for name, value in away.items()})}")
    changed |= {name for name, value in away.items() if value > 0.1} != ({"by_tvm", "by_opencv"} if side == 9 else set())
if changed:
    raise SystemExit("changed")
PYTHON
