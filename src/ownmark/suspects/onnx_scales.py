"""Scale and zero point of an ONNX file's integer inputs and outputs, from the nodes next to them, as plain protobuf. No torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ownmark.suspects.protobuf import VARINT, Field, fields_of, varint

GRAPH = 7  # onnx.proto: numbers of the fields that are read here
NODE, INITIALIZER = 1, 5  # of a graph
INPUT, OUTPUT, OPERATION, ATTRIBUTE = 1, 2, 4, 5  # of a node
TENSOR = 5  # of an attribute
TYPE, FLOATS, INTEGERS, NAME, RAW = 2, 4, 5, 8, 9  # of a tensor
KINDS = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 10: "<f2"}  # TensorProto.DataType
DEQUANTIZE, QUANTIZE = b"DequantizeLinear", b"QuantizeLinear"


@dataclass(frozen=True)
class Scale:
    """A real value is `scale` * (stored value - `zero`)."""

    scale: float
    zero: int


def scales(data: bytes) -> Mapping[str, Scale]:
    """By name: every tensor that a DequantizeLinear reads or a QuantizeLinear writes with one constant scale.

    Raises ValueError if `data` is not a protobuf message.
    """
    graph = [one for field in fields_of(memoryview(data)) if field.number == GRAPH for one in _below(field)]
    nodes = [list(_below(field)) for field in graph if field.number == NODE]
    numbers = {
        _text(tensor, NAME): _number(tensor) for tensor in (list(_below(one)) for one in graph if one.number == INITIALIZER)
    }
    for node in nodes:
        if _text(node, OPERATION) == "Constant":
            numbers |= {_text(node, OUTPUT): value for value in _constants(node)}
    found = {}
    for node in nodes:
        side = {DEQUANTIZE: INPUT, QUANTIZE: OUTPUT}.get(_text(node, OPERATION).encode())
        inputs = [bytes(field.value).decode(errors="replace") for field in node if field.number == INPUT]
        if side is None or len(inputs) < 2:  # noqa: PLR2004 - what is scaled, and the scale
            continue
        scale, zero = numbers.get(inputs[1]), numbers.get(inputs[2]) if len(inputs) > 2 else 0  # noqa: PLR2004 - and the zero
        if scale and zero is not None:
            found[_text(node, side)] = Scale(float(scale), int(zero))
    return found


def _below(field: Field) -> Iterator[Field]:
    return fields_of(memoryview(field.value))


def _text(message: list[Field], number: int) -> str:
    """The first field of that number."""
    return next((bytes(field.value).decode(errors="replace") for field in message if field.number == number), "")


def _constants(node: list[Field]) -> Iterator[float | None]:
    for attribute in (field for field in node if field.number == ATTRIBUTE):
        for tensor in (field for field in _below(attribute) if field.number == TENSOR):
            yield _number(list(_below(tensor)))


def _number(tensor: list[Field]) -> float | None:
    """The value of a tensor of one number; None for any other."""
    kind = KINDS.get(next((int.from_bytes(field.value) for field in tensor if field.number == TYPE), 0))
    raw = next((bytes(field.value) for field in tensor if field.number == RAW), b"")
    if kind is not None and len(raw) == np.dtype(kind).itemsize:
        return float(np.frombuffer(raw, dtype=kind)[0])
    given = [field for field in tensor if field.number in {FLOATS, INTEGERS}]
    if kind is None or len(given) != 1:
        return None
    if given[0].number == FLOATS:
        return float(np.frombuffer(given[0].value, dtype="<f4")[0]) if len(given[0].value) == 4 else None  # noqa: PLR2004 - bytes
    return float(_signed(given[0]))


def _signed(field: Field) -> int:
    """One integer of 64 bits, by itself or packed."""
    alone = field.written[0] & 7 == VARINT
    value = int.from_bytes(field.value) if alone else varint(memoryview(field.value), 0)[0]
    return value - 2**64 if value >= 2**63 else value
