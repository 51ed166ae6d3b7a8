"""JSON with one way of writing each value (RFC 8785), and nothing else accepted. No torch."""

import base64
import binascii
import hashlib
import json
import re
from typing import Any

import rfc8785

from ownmark.errors import EvidenceError

HEX_DIGEST = re.compile(r"[0-9a-f]{64}")


def dumps(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The bytes of a JSON value. Raises EvidenceError for NaN, infinity, integers beyond 2^53, lone surrogates."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"this cannot be written as canonical JSON: {error}") from error


def loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value that `dumps` wrote as exactly these bytes. Raises EvidenceError for any other bytes."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"this is no JSON, or it is cut short or damaged ({error})") from error
    if dumps(value) != data:
        raise EvidenceError("this JSON is not canonical (RFC 8785): a key twice, another order, or spaces that nobody needs")
    return value


def record_of(value: object, keys: frozenset[str], what: str) -> dict[str, Any]:
    """`value`, which must be a JSON object with exactly these keys."""
    if not isinstance(value, dict) or value.keys() != keys:
        raise EvidenceError(f"{what} is a JSON object of {', '.join(sorted(keys))}")
    return value


def is_digest(value: object) -> bool:
    """Whether it is a SHA-256 digest or a 32-byte key as 64 hexadecimal digits."""
    return isinstance(value, str) and HEX_DIGEST.fullmatch(value) is not None


def is_count(value: object, least: int = 0) -> bool:
    """Whether it is a whole number of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_version(value: object, known: int) -> bool:
    """Whether it is the version that is known; true, which Python takes for 1, is none."""
    return is_count(value) and value == known


def sha256(data: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def in_base64(data: bytes) -> str:
    """Text of bytes."""
    return base64.b64encode(data).decode()


def from_base64(text: object) -> bytes:
    """Bytes of the one text that `in_base64` writes for them. Raises EvidenceError."""
    try:
        data = base64.b64decode(str(text), validate=True)
    except (ValueError, binascii.Error) as error:
        raise EvidenceError(f"this is no base64: {error}") from error
    if in_base64(data) != text:
        raise EvidenceError("this base64 has idle bits that are not zero")
    return data
