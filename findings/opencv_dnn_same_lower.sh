#!/usr/bin/env bash
# Expected: OpenCV's dnn pads a pooling of ONNX's SAME_LOWER at the beginning, as it does for SAME_UPPER at the end, and
# smooths where a Resize says `antialias`, or refuses the model.
# Happens: it reads both models and passes over the attribute: SAME_LOWER pools as SAME_UPPER, and a Resize answers the same with
# `antialias` as without, far from what onnxruntime answers.
source "$(dirname "$0")/_venv.sh" opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("OpenCV", cv2.__version__)
image = np.random.default_rng(0).random((1, 1, 9, 9), dtype=np.float32)


def asked(name, side, sizes=(), **attributes):
    stored = [numpy_helper.from_array(np.array(sizes, np.int64), "sizes")] if sizes else []
    sent = ["x", "", "", "sizes"] if sizes else ["x"]
    ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1, 1, each, each]) for port, each in (("x", 9), ("y", side))]
    graph = helper.make_graph([helper.make_node(name, sent, ["y"], **attributes)], "one", ports[:1], ports[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    written = model.SerializeToString()
    net = cv2.dnn.readNetFromONNX(np.frombuffer(written, np.uint8))
    net.setInput(image, "x")
    session = onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"])
    return net.forward("y"), session.run(None, {"x": image})[0]


changed = []
for name, plain, other in (
    ("MaxPool", {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}),
    ("AveragePool", {"auto_pad": "SAME_UPPER"}, {"auto_pad": "SAME_LOWER"}),
    ("Resize", {"antialias": 0}, {"antialias": 1}),
):
    rest = {"side": 4, "sizes": (1, 1, 4, 4), "mode": "linear"} if name == "Resize" else {"side": 9, "kernel_shape": [2, 2]}
    first, second = (asked(name, **rest, **each) for each in (plain, other))
    away = [float(np.abs(np.subtract(*pair)).max()) for pair in (first, second)]
    same = bool(np.array_equal(first[0], second[0]))
    print(f"{name}, {plain} and {other}: off from onnxruntime by {away[0]:.1g} and {away[1]:.2f}; equal in OpenCV: {same}")
    changed.append(not (away[0] < 1e-4 and away[1] > 0.05 and same))
if any(changed):
    raise SystemExit("changed")
PYTHON
