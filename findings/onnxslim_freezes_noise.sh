#!/usr/bin/env bash
# Expected: a simplifier leaves a random operator alone, as onnxsim and onnxoptimizer do: each run draws anew.
# Happens: onnxslim folds a RandomNormal, a RandomUniformLike, a Bernoulli and a Dropout in training mode into a constant: the
# noise of a model that adds some is the same in every run from then on, without a warning.
source "$(dirname "$0")/_venv.sh" onnxslim==0.1.98 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnxruntime
import onnxslim
from onnx import TensorProto, helper, numpy_helper

print("onnxslim", importlib.metadata.version("onnxslim"))
half = numpy_helper.from_array(np.full((1, 64), 0.5, dtype=np.float32), "half")
ratio, training = numpy_helper.from_array(np.float32(0.5), "ratio"), numpy_helper.from_array(np.array(True), "training")
draws = {
    "RandomNormal": helper.make_node("RandomNormal", [], ["noise"], shape=[1, 64]),
    "RandomUniformLike": helper.make_node("RandomUniformLike", ["half"], ["noise"]),
    "Bernoulli": helper.make_node("Bernoulli", ["half"], ["noise"]),
    "Dropout": helper.make_node("Dropout", ["half", "ratio", "training"], ["noise"]),
}


def runs(model):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    first, second = (session.run(None, {"x": np.zeros((1, 64), dtype=np.float32)})[0] for _ in range(2))
    return "the same" if np.array_equal(first, second) else "different"


for name, draw in draws.items():
    node = helper.make_node("Add", ["x", "noise"], ["y"])
    ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [1, 64]) for port in "xy"]
    graph = helper.make_graph([draw, node], "noisy", ports[:1], ports[1:], [half, ratio, training])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    slim = onnxslim.slim(model)
    before, after = runs(model), runs(slim)
    print(f"{name}: two runs are {before}; once slim {after}, with {[one.op_type for one in slim.graph.node]}")
    if (before, after) != ("different", "the same"):
        raise SystemExit("changed")
PYTHON
