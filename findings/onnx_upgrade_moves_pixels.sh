#!/usr/bin/env bash
# Expected: onnx's version converter takes a bilinear Resize of opset 10, or an Upsample of opset 9, to a later opset with the same
# answers, as it does for the nearest neighbour's.
# Happens: it leaves `coordinate_transformation_mode` out, whose default is half_pixel where opset 10 is asymmetric: the enlarged
# map moves by half a pixel, without a warning.
source "$(dirname "$0")/_venv.sh" onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, version_converter

print("onnx", importlib.metadata.version("onnx"))
line = np.arange(4, dtype=np.float32).reshape(1, 1, 1, 4)


def ask(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": line})[0].ravel().tolist()


kept = {}
for name, opset in (("Resize", 10), ("Upsample", 9)):
    for mode in ("nearest", "linear"):
        ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1, 1, 1, side]) for port, side in (("x", 4), ("y", 8))]
        scales = helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, 1, 2])
        node = helper.make_node(name, ["x", "scales"], ["y"], mode=mode)
        graph = helper.make_graph([node], "one", ports[:1], ports[1:], [scales])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=5)
        before, after = ask(model), ask(version_converter.convert_version(model, 13))
        kept[name, mode] = before == after
        print(f"{name}, {mode}: {before} in opset {opset}, {after} in opset 13")
if kept != {(name, mode): mode == "nearest" for name in ("Resize", "Upsample") for mode in ("nearest", "linear")}:
    raise SystemExit("changed")
PYTHON
