#!/usr/bin/env bash
# Expected: a model whose input is uint8 refuses an array of floats, as onnxruntime does, or at least warns.
# Happens: openvino casts it as numpy does: an image in floats from 0 to 1 becomes black, without a warning.
source "$(dirname "$0")/_venv.sh" openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W error::RuntimeWarning - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnxruntime
import openvino
from onnx import TensorProto, helper

print("openvino", importlib.metadata.version("openvino"))
node = helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)
taken = helper.make_tensor_value_info("x", TensorProto.UINT8, [3])
given = helper.make_tensor_value_info("y", TensorProto.FLOAT, [3])
graph = helper.make_graph([node], "pixels", [taken], [given])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
compiled = openvino.Core().compile_model(openvino.Core().read_model(model), "CPU")
seen = {}
for image in ([0.25, 0.5, 0.9], [3.0, 128.5, 254.7]):
    floats = np.array(image, dtype=np.float32)
    seen[tuple(image)] = compiled([floats])[0].tolist()
    print(f"floats {image} are taken as {seen[tuple(image)]}")
    try:
        onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": floats})
    except Exception as error:  # onnxruntime's own class
        print(f"onnxruntime: {type(error).__name__}")
    else:
        raise SystemExit("changed")
if list(seen.values()) != [[0, 0, 0], [3, 128, 254]]:
    raise SystemExit("changed")
PYTHON
