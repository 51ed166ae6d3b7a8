"""One safetensors container with a single metadata entry, canonical JSON: the format of a claim's file."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import numpy as container

from ownmark.errors import ClaimError, blamed

Arrays = dict[str, npt.NDArray[Any]]


def packed(arrays: Arrays, described: Mapping[str, Any]) -> bytes:
    """The file's bytes: the arrays, their description, and its digest."""
    text = _canonical({"claim": described, "digest": digest(described)})
    return container.save(arrays, metadata={"ownmark": text})


def opened(data: bytes) -> tuple[dict[str, Any], Arrays]:
    """JSON data and arrays of a structurally sound file. Raises ClaimError."""
    with blamed(ClaimError, "not a claim file; truncated or corrupt"):
        arrays = container.load(data)
        size = int.from_bytes(data[:8], "little")
        text = json.loads(data[8 : 8 + size])["__metadata__"]["ownmark"]
        record = json.loads(text, object_pairs_hook=_no_twins)
        described = record["claim"]
    if not isinstance(described, dict):
        raise ClaimError("not a claim file: its description is not a JSON object")
    return described, arrays


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a JSON object has duplicate keys")
    return dict(pairs)


def _canonical(value: object) -> str:
    """JSON with sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(described: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(described).encode()).hexdigest()


def array_digest(array: npt.NDArray[Any]) -> str:
    found = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
