"""Claim files as somebody who knows the format, and means ill, would write them."""

import hashlib
import json
from typing import Any

from safetensors import numpy as container

from ownmark.claims.claim import Claim

Record = dict[str, Any]


def opened(claim: Claim) -> Record:
    data = claim.to_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    record: Record = json.loads(header["__metadata__"]["ownmark"])
    return record


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def forged(claim: Claim, text: str, arrays: dict[str, Any] | None = None) -> bytes:
    """The file of `claim` with other JSON in it, as somebody who knows the format would write it."""
    return container.save(arrays or container.load(claim.to_bytes()), metadata={"ownmark": text})


def resealed(described: Record) -> str:
    """JSON text with a digest that fits, so that only the check of the fields is left to notice anything."""
    return canonical({"claim": described, "digest": hashlib.sha256(canonical(described).encode()).hexdigest()})


def arrays_of(claim: Claim) -> dict[str, Any]:
    return dict(container.load(claim.to_bytes()))
