#!/usr/bin/env bash
# Expected: a NaN stays a NaN: the maximum of a window with NaN is NaN (torch, numpy, ONNX's own reference), and
# ArgMax gives one index for one content.
# Happens: ReduceMax and GlobalMaxPool pass over NaN while Max keeps it; ArgMax of [nan, 1, 3] is 0 and of [1, nan, 3]
# is 2.
source "$(dirname "$0")/_venv.sh" onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper


def session(operator, shape, output=TensorProto.FLOAT, inputs=("x",), gives=None, **attributes):
    node = helper.make_node(operator, inputs, ["y"], **attributes)
    taken = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in inputs]
    given = helper.make_tensor_value_info("y", output, shape if gives is None else gives)
    graph = helper.make_graph([node], "one", taken, [given])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


print("onnxruntime", onnxruntime.__version__)

nan = np.float32("nan")
row = np.array([[1, nan, 3]], dtype=np.float32)
turned = np.array([[nan, 1, 3]], dtype=np.float32)
maximum = session("Max", [1, 3], inputs=("x", "z")).run(None, {"x": row, "z": row})[0].tolist()
reduced = session("ReduceMax", [1, 3], gives=[], keepdims=0).run(None, {"x": row})[0]
pooled = session("GlobalMaxPool", [1, 1, 3], gives=[1, 1, 1]).run(None, {"x": row[None]})[0].item()
where = session("ArgMax", [1, 3], TensorProto.INT64, gives=[1, 1], axis=1)
indices = [where.run(None, {"x": values})[0].item() for values in (row, turned)]
print(f"of [1, nan, 3]: Max with itself {maximum}, ReduceMax {reduced}, GlobalMaxPool {pooled}")
print(f"ArgMax of [1, nan, 3] and of [nan, 1, 3]: {indices}")
if not np.isnan(maximum[0][1]) or reduced != 3 or pooled != 3 or indices != [2, 0]:
    raise SystemExit("changed")
PYTHON
