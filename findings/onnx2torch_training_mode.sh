#!/usr/bin/env bash
# Expected: a module converted from an ONNX file, whose batch normalisation is in inference mode, answers as the file does.
# Happens: `onnx2torch.convert` returns it in training mode: it normalises by the batch at hand, answers otherwise, and every
# question changes the statistics, so that `eval()` afterwards comes too late.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 onnx2torch==1.5.15 \
    onnx==1.23.2 onnxruntime==1.32.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnx2torch
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

print("onnx2torch", importlib.metadata.version("onnx2torch"))
statistics = {"scale": 1, "shift": 0, "mean": 3, "variance": 4}
stored = [numpy_helper.from_array(np.full(2, value, dtype=np.float32), name) for name, value in statistics.items()]
node = helper.make_node("BatchNormalization", ["x", *statistics], ["y"])
ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 2]) for name in "xy"]
graph = helper.make_graph([node], "normalise", ports[:1], ports[1:], stored)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 16)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
rows = np.arange(16, dtype=np.float32).reshape(8, 2)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
truth = session.run(None, {"x": rows})[0]


def away(module):
    return float(np.abs(module(torch.tensor(rows)).detach().numpy() - truth).max())


fresh, late = onnx2torch.convert(model), onnx2torch.convert(model)
training = fresh.training
asked = away(late)
told = {"as converted": asked, "eval() at once": away(fresh.eval()), "eval() after a question": away(late.eval())}
print(f"training: {training}; off from onnxruntime: " + ", ".join(f"{name} {value:.2g}" for name, value in told.items()))
if not training or not told["eval() at once"] < 1e-4 < 0.1 < min(asked, told["eval() after a question"]):
    raise SystemExit("changed")
PYTHON
