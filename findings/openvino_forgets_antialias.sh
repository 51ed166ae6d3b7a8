#!/usr/bin/env bash
# Expected: Resize with `antialias` smooths before it makes an image smaller, as ONNX says and onnxruntime and ONNX's reference
# do, or the model is refused.
# Happens: openvino reads the model and forgets the attribute: the answer is, in every number, that of the model without it, up to
# half the range of a noisy image away.
source "$(dirname "$0")/_venv.sh" openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper

print("openvino", importlib.metadata.version("openvino"))
image = np.random.default_rng(0).random((1, 3, 33, 33), dtype=np.float32)
core = openvino.Core()
away, forgets = {}, []
for mode in ("linear", "cubic"):
    answers = {}
    for antialias in (0, 1):
        sides = {"x": 33, "y": 12}
        ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1, 3, side, side]) for port, side in sides.items()]
        node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode=mode, antialias=antialias)
        sizes = helper.make_tensor("sizes", TensorProto.INT64, [4], [1, 3, 12, 12])
        graph = helper.make_graph([node], "one", ports[:1], ports[1:], [sizes])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        answers[antialias] = compiled([image])[0]
        away[mode, antialias] = float(np.abs(answers[antialias] - session.run(None, {"x": image})[0]).max())
    forgets.append(np.array_equal(answers[0], answers[1]))
    print(f"{mode}: off from onnxruntime by {away[mode, 0]:.1g} without antialias and {away[mode, 1]:.2f} with it; "
          f"openvino answers the same for both: {forgets[-1]}")
if not all(forgets) or any((value > 0.1) != bool(antialias) for (_, antialias), value in away.items()):
    raise SystemExit("changed")
PYTHON
