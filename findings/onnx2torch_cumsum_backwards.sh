#!/usr/bin/env bash
# Expected: a module converted from an ONNX file answers as the file does, or the conversion raises, as for what it does not know.
# Happens: CumSum sums from the end whether `reverse` is set or not, and NonZero answers one row per element instead of one per axis;
# there is no warning.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 onnx2torch==1.5.15 \
    onnx==1.23.2 onnxruntime==1.32.0
"$venv/bin/python" -W error::UserWarning - <<'PYTHON'
import importlib.metadata
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

with warnings.catch_warnings(action="ignore"):
    import onnx2torch

print("onnx2torch", importlib.metadata.version("onnx2torch"))
line = np.array([[[[0, 1, 0, 3]]]], dtype=np.float32)
cases = {
    "CumSum": (["x", "axis"], {}),
    "CumSum, reverse": (["x", "axis"], {"reverse": 1}),
    "NonZero": (["x"], {}),
}
right = {}
for name, (sent, attributes) in cases.items():
    used = [numpy_helper.from_array(np.array(3), "axis")] if "axis" in sent else []
    kind = TensorProto.INT64 if name == "NonZero" else TensorProto.FLOAT
    shape = [4, None] if name == "NonZero" else [1, 1, 1, 4]
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, line.shape), helper.make_tensor_value_info("y", kind, shape)]
    node = helper.make_node(name.partition(",")[0], sent, ["y"], **attributes)
    graph = helper.make_graph([node], "one", ports[:1], ports[1:], used)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    truth = session.run(None, {"x": line})[0]
    answer = onnx2torch.convert(model).eval()(torch.tensor(line)).numpy()
    right[name] = answer.shape == truth.shape and bool(np.allclose(answer, truth))
    print(f"{name}: onnxruntime {np.squeeze(truth).tolist()}, onnx2torch {np.squeeze(answer).tolist()}")
if {name for name, agrees in right.items() if not agrees} != {"CumSum", "NonZero"}:
    raise SystemExit("changed")
PYTHON
