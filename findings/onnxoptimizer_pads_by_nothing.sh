#!/usr/bin/env bash
# Expected: an optimizer keeps what a model answers: the largest of a window that reaches into a border of zeros is at least 0, and two
# noises drawn by two operators differ.
# Happens: onnxoptimizer's default passes fuse a Pad of zeros into the MaxPool after it, which pads by minus infinity: values of -1 to
# -4 are pooled to 0 at the border before, and below 0 after. It takes two RandomNormal for one expression: their difference is 0.
source "$(dirname "$0")/_venv.sh" onnxoptimizer==0.4.2 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnxoptimizer
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper

print("onnxoptimizer", importlib.metadata.version("onnxoptimizer"))


def answers(nodes, inputs, shape, pads=(), **values):
    ends = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in each] for each in (inputs, [("y", shape)])]
    weights = [numpy_helper.from_array(np.array(pads), "pads")] if pads else []
    graph = helper.make_graph([helper.make_node(*node, **options) for node, options in nodes], "model", *ends, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    for each in (model, onnxoptimizer.optimize(model)):
        checker.check_model(each)
        session = onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
        print(f"  {[node.op_type for node in each.graph.node]}", end="")
        yield session.run(None, values)[0]


image = -np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
padded = (("Pad", ["x", "pads"], ["a"]), {}), (("MaxPool", ["a"], ["y"]), {"kernel_shape": [2, 2]})
pooled = [each.ravel().tolist() for each in answers(padded, [("x", [1, 1, 2, 2])], [1, 1, 3, 3], (0, 0, 1, 1, 0, 0, 1, 1), x=image)]
print(f"\npooled before: {pooled[0]}\npooled after: {pooled[1]}")
noises = [(("RandomNormal", [], [name]), {"shape": [4]}) for name in "ab"]
spread = [float(np.abs(each).max()) for each in answers([*noises, (("Sub", ["a", "b"], ["y"]), {})], [], [4])]
print(f"\ndifference of two noises before: {spread[0]:.2f}, after: {spread[1]:.2f}")
if not (pooled[0].count(0) == 8 and max(pooled[1]) < 0 and spread[0] > 0 == spread[1]):
    raise SystemExit("changed")
PYTHON
