#!/usr/bin/env bash
# Expected: an ONNX model that is read into onnx-ir and written again is the same model, however often.
# Happens: every pass writes the metadata of each weight once more: after three passes it is there four times, and the digest
# has changed with each. What the model, the graph and the nodes carry stays as it is.
source "$(dirname "$0")/_venv.sh" onnx-ir==1.1.0 onnx==1.23.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnx_ir
from onnx import TensorProto, helper, numpy_helper

print("onnx-ir", importlib.metadata.version("onnx-ir"))
ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [4]) for port in "xy"]
weights = [numpy_helper.from_array(np.ones(4, dtype=np.float32), "w")]
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "one", ports[:1], ports[1:], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def places(model):
    return model, model.graph, model.graph.node[0], model.graph.initializer[0]


for place in places(model):
    place.metadata_props.add(key="owner", value="me")
onnx.checker.check_model(model, full_check=True)
counts = []
for passes in range(4):
    counts.append([len(place.metadata_props) for place in places(model)])
    print(f"after {passes} passes: entries of the model, the graph, the node and the weight: {counts[-1]}")
    model = onnx_ir.to_proto(onnx_ir.from_proto(model))
if counts != [[1, 1, 1, 1 + passes] for passes in range(4)]:
    raise SystemExit("changed")
PYTHON
