"""Small ONNX files made node by node, of which some keep a weight in another file."""

from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper


def outside_tensor(name: str, location: str) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "12")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def as_initializer(location: str) -> onnx.GraphProto:
    return graph([helper.make_node("Add", ["x", "w"], ["y"])], [outside_tensor("w", location)])


def as_constant(location: str) -> onnx.GraphProto:
    constant = helper.make_node("Constant", [], ["w"], value=outside_tensor("w", location))
    return graph([constant, helper.make_node("Add", ["x", "w"], ["y"])], [])


def inside_a_branch(location: str) -> onnx.GraphProto:
    output = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    add = helper.make_node("Add", ["x", "w"], ["z"])
    branches = [helper.make_graph([add], name, [], [output], [outside_tensor("w", location)]) for name in ("yes", "no")]
    condition = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    return graph([condition, helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])], [])


def graph(nodes: list[onnx.NodeProto], initializers: list[TensorProto], shape: Any = ("n", 3, 1, 3)) -> onnx.GraphProto:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    return helper.make_graph(nodes, "g", ends[:1], ends[1:], initializers)


def saved(content: onnx.GraphProto, path: Path) -> Path:
    path.write_bytes(helper.make_model(content, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString())
    return path
