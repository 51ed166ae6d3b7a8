#!/usr/bin/env bash
# Expected: `convert_float_to_float16(model, keep_io_types=True)` gives a model that takes and answers 32-bit floats, as the one of
# onnxruntime's own tools of the same name does.
# Happens: where the last node is one that stays in 32 bits (a Resize, a TopK, a Max), the output is cast down to 16 bits; the
# model is valid. It says 32 bits of a model that ends in a Relu.
source "$(dirname "$0")/_venv.sh" onnxconverter-common==1.16.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxconverter_common import float16

print("onnxconverter-common", importlib.metadata.version("onnxconverter-common"))
image = np.random.default_rng(0).random((1, 2, 4, 4), dtype=np.float32)
types = {}
for name in ("Relu", "Max", "Resize"):
    side = 8 if name == "Resize" else 4
    ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1, 2, size, size]) for port, size in (("x", 4), ("y", side))]
    scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 2, 2])
    first = helper.make_node("Sigmoid", ["x"], ["between"], name="first")
    last = helper.make_node(name, ["between", "", "scales"] if name == "Resize" else ["between"], ["y"], name="last")
    graph = helper.make_graph([first, last], "two", ports[:1], ports[1:], [scales] if name == "Resize" else [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    half = float16.convert_float_to_float16(model, keep_io_types=True)
    onnx.checker.check_model(half, full_check=True)
    session = onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    types[name] = str(session.run(None, {"x": image})[0].dtype)
    print(f"ends in {name}: answers {types[name]}")
if types != {"Relu": "float32", "Max": "float16", "Resize": "float16"}:
    raise SystemExit("changed")
PYTHON
