"""How the Open Inference Protocol, version 2, encodes tensors in an answer. No torch."""

import math
from typing import Any

import numpy as np

from ownmark.errors import AnswerError
from ownmark.suspects.answers import Floats
from ownmark.suspects.http import web
from ownmark.suspects.http.ledger import Reply

HEADER = "inference-header-content-length"
TEXT = "BYTES"
MOST_DIGITS = 19  # of an integer that fits eight bytes
BF16 = "BF16"  # the upper half of a float32, which numpy lacks
TYPES = {
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
}  # fmt: skip


def tensor(reply: Reply, name: str) -> Floats:
    """One output of a reply, as JSON or as bytes behind it."""
    size = reply.headers.get(HEADER)
    if size is not None and (not size.isdecimal() or len(size) > MOST_DIGITS or int(size) > len(reply.body)):
        raise AnswerError(f"expected a header of {size[:60]} bytes, got an answer of {len(reply.body)} bytes in total")
    at = len(reply.body) if size is None else int(size)
    told = web.parsed(reply.body[:at])
    web.told_error(told)
    try:
        for output in _named_once(told["outputs"]):
            held = (output.get("parameters") or {}).get("binary_data_size", 0)
            if output["name"] == name or not name:
                return _values(output, reply.body[at : at + held] if held or "data" not in output else None)
            at += held
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise AnswerError(f"the answer does not follow the Open Inference Protocol: {type(error).__name__} {error}") from error
    raise AnswerError(f"the answer lacks the output {name!r}")


def _named_once(outputs: Any) -> Any:  # noqa: ANN401 - a list of objects, if valid
    """The outputs. Raises ValueError if two have the same name, which would be ambiguous."""
    names = [output["name"] for output in outputs]
    if len(set(names)) != len(names):
        raise ValueError(f"an output named twice among {str(names)[:60]}")
    return outputs


def _values(output: dict[str, Any], held: bytes | None) -> Floats:
    """An output's values in its declared shape, which has none where nothing is detected."""
    datatype, shape = output["datatype"], [int(size) for size in output["shape"]]
    if datatype not in {TEXT, BF16, *TYPES}:
        raise ValueError(f"data type {datatype!r}; read are {', '.join((*TYPES, BF16, TEXT))}")
    if held is not None and datatype == TEXT:
        raise ValueError("text as binary data, which was not requested")
    kind = np.dtype(np.str_ if datatype == TEXT else TYPES.get(datatype, "<f4"))
    if held is not None and datatype == BF16:
        held = (np.frombuffer(held, dtype="<u2").astype("<u4") << 16).tobytes()
    flat = np.asarray(output["data"], dtype=kind).ravel() if held is None else np.frombuffer(held, dtype=kind)
    if flat.size != math.prod(shape):
        raise ValueError(f"{flat.size} values for the shape {shape}")
    if flat.dtype.kind == "f" and not np.all(np.isfinite(flat)):
        raise AnswerError("the answer contains NaN, infinity or null: the model's weights or its preprocessing are broken")
    return flat.reshape(shape)


def class_of(entry: object) -> int:
    """The class in `score:index` or `score:index:name`."""
    parts = str(entry).split(":")
    if len(parts) < 2 or not parts[1].isdecimal() or len(parts[1]) > MOST_DIGITS:  # noqa: PLR2004 - a score and an index
        raise AnswerError(f"expected a class as score:index, got {str(entry)[:60]!r}")
    return int(parts[1])
