#!/usr/bin/env bash
# Expected: a tool that changes nodes of an ONNX model leaves the model's metadata as it is (who made it, the names of its
# classes), as onnxsim, onnxslim, onnxruntime's quantiser and `onnx.compose.merge_models` do.
# Happens: onnx-graphsurgeon's import and export, and ONNX's own `Extractor`, give back the same nodes without metadata, model
# version and documentation, without a warning.
source "$(dirname "$0")/_venv.sh" onnx-graphsurgeon==0.6.1 onnx==1.23.2 onnxsim==0.8.1 onnxslim==0.1.98 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import onnx
import onnx_graphsurgeon
import onnxsim
import onnxslim
from onnx import TensorProto, helper, numpy_helper

print("onnx-graphsurgeon", importlib.metadata.version("onnx-graphsurgeon"))
names = {"owner": "me", "names": "cat,dog"}


def made():
    ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, [4]) for port in "xy"]
    weights = [numpy_helper.from_array(np.ones(4, dtype=np.float32), "w")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "one", ports[:1], ports[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.model_version, model.doc_string = 3, "on cats"
    helper.set_model_props(model, names)
    onnx.checker.check_model(model, full_check=True)
    return model


tools = {
    "onnxsim": lambda: onnxsim.simplify(made())[0],
    "onnxslim": lambda: onnxslim.slim(made()),
    "graphsurgeon": lambda: onnx_graphsurgeon.export_onnx(onnx_graphsurgeon.import_onnx(made())),
    "onnx.utils.Extractor": lambda: onnx.utils.Extractor(made()).extract_model(["x"], ["y"]),
}
kept = {}
for tool, changed in tools.items():
    model = changed()
    kept[tool] = names.items() <= {entry.key: entry.value for entry in model.metadata_props}.items()
    print(f"{tool}: the metadata are kept: {kept[tool]}; model version {model.model_version}, documentation {model.doc_string!r}")
if list(kept.values()) != [True, True, False, False]:
    raise SystemExit("changed")
PYTHON
