#!/usr/bin/env bash
# Expected: Resize of a uint8 image rounds to the nearest grey level, as OpenVINO, ONNX's reference, OpenCV and Pillow do.
# Happens: without `antialias` onnxruntime's bilinear Resize cuts the fraction off: every image becomes half a grey level darker
# on average, and no pixel brighter; with `antialias` the average stays.
source "$(dirname "$0")/_venv.sh" onnxruntime==1.32.0 onnx==1.23.2 openvino==2026.4.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnxruntime", importlib.metadata.version("onnxruntime"))
image = np.random.default_rng(0).integers(0, 256, (1, 3, 33, 33), dtype=np.uint8)


def resize(dtype, antialias):
    shapes = {"x": [1, 3, 33, 33], "y": [1, 3, 50, 41]}
    ports = [helper.make_tensor_value_info(port, dtype, shape) for port, shape in shapes.items()]
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode="linear", antialias=antialias)
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 3, 50, 41])
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], [sizes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def runtime(model, given):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": given})[0]


def openvino_cpu(model, given):
    core = openvino.Core()
    return core.compile_model(core.read_model(model), "CPU")([given])[0]


def reference(model, given):
    return ReferenceEvaluator(onnx.load_from_string(model)).run(None, {"x": given})[0]


mean = {}
for antialias in (0, 1):
    exact = runtime(resize(TensorProto.FLOAT, antialias), image.astype(np.float32))
    for run in (runtime, openvino_cpu, reference):
        away = run(resize(TensorProto.UINT8, antialias), image).astype(float) - exact
        mean[run.__name__, antialias] = float(away.mean())
        print(f"antialias {antialias}, {run.__name__}: bytes differ from exact values by {away.min():.2f} to {away.max():.2f}, "
              f"on average by {away.mean():.2f}")
if not mean["runtime", 0] < -0.4 or any(abs(value) > 0.05 for key, value in mean.items() if key != ("runtime", 0)):
    raise SystemExit("changed")
PYTHON
