#!/usr/bin/env bash
# Expected: ONNX's own reference evaluator does what ONNX's specification says, and answers in the shapes that ONNX's own shape
# inference finds.
# Happens: LpNormalization with p = 1 divides by the plain sum rather than by the sum of absolute values, so that numbers leave
# [-1, 1]; MaxPool with SAME_LOWER drops a row where SAME_UPPER keeps it. onnxruntime does both as specified.
source "$(dirname "$0")/_venv.sh" onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

print("onnx", importlib.metadata.version("onnx"))


def answers(operator, given, **settings):
    node = helper.make_node(operator, ["x"], ["y"], **settings)
    port = helper.make_tensor_value_info("x", TensorProto.FLOAT, given.shape)
    graph = helper.make_graph([node], "one", [port], [helper.make_empty_tensor_value_info("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    model = onnx.shape_inference.infer_shapes(model)
    onnx.checker.check_model(model, full_check=True)
    inferred = tuple(size.dim_value for size in model.graph.output[0].type.tensor_type.shape.dim)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return ReferenceEvaluator(model).run(None, {"x": given})[0], session.run(None, {"x": given})[0], inferred


given = np.array([[3, -2, 1]], dtype=np.float32)
reference, runtime, _ = answers("LpNormalization", given, p=1, axis=1)
print(f"LpNormalization of {given[0]} with p=1: reference {reference[0]}, onnxruntime {runtime[0].round(3)}")
as_said = np.allclose(runtime, given / 6) and np.allclose(reference, given / 2)
image = np.ones((1, 1, 7, 7), dtype=np.float32)
shapes = {}
for padding in ("SAME_UPPER", "SAME_LOWER"):
    reference, runtime, inferred = answers("MaxPool", image, kernel_shape=[3, 3], strides=[2, 2], auto_pad=padding)
    shapes[padding] = reference.shape == runtime.shape == inferred, runtime.shape == inferred
    print(f"MaxPool {padding} of 7 x 7: reference {reference.shape}, onnxruntime {runtime.shape}, inferred {inferred}")
if not as_said or shapes != {"SAME_UPPER": (True, True), "SAME_LOWER": (False, True)}:
    raise SystemExit("changed")
PYTHON
