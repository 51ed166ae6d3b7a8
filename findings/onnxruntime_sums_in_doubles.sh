#!/usr/bin/env bash
# Expected: whole numbers in 64 bits are summed in 64 bits: exact, as by Add, and by numpy and ONNX's reference.
# Happens: ReduceSum, ReduceProd, ReduceL1 and Pow of int64 pass through doubles: the sum of 2**53 + 1 and 0 is 2**53, without a
# warning; ReduceMax is exact.
source "$(dirname "$0")/_venv.sh" onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
from onnx import helper
from onnx.reference import ReferenceEvaluator

print("onnxruntime", importlib.metadata.version("onnxruntime"))


def answers(operator, *given, **settings):
    dtype = helper.np_dtype_to_tensor_dtype(given[0].dtype)
    ports = [helper.make_tensor_value_info(f"x{place}", dtype, one.shape) for place, one in enumerate(given)]
    node = helper.make_node(operator, [port.name for port in ports], ["y"], **settings)
    graph = helper.make_graph([node], "one", ports, [helper.make_tensor_value_info("y", dtype, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    feed = {port.name: one for port, one in zip(ports, given)}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found, right = int(session.run(None, feed)[0][0]), int(ReferenceEvaluator(model).run(None, feed)[0].ravel()[0])
    shown = " and ".join(str(one.tolist()) for one in given)
    print(f"{operator} of {shown}: onnxruntime {found}, reference {right}")
    return found - right


large = 2**53 + 1
away = {
    "Add": answers("Add", np.int64([large]), np.int64([0])),
    "ReduceMax": answers("ReduceMax", np.int64([large, 0])),
    "ReduceSum": answers("ReduceSum", np.int64([large, 0])),
    "ReduceProd": answers("ReduceProd", np.int64([large, 1])),
    "ReduceL1": answers("ReduceL1", np.int64([large, 0])),
    "Pow": answers("Pow", np.int64([large]), np.int64([1])),
}
if away != {"Add": 0, "ReduceMax": 0, "ReduceSum": -1, "ReduceProd": -1, "ReduceL1": -1, "Pow": -1}:
    raise SystemExit("changed")
PYTHON
