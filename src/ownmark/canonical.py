"""JSON in the one canonical form (RFC 8785); any other form is rejected. No torch."""

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
    """The canonical bytes of a JSON value. Raises EvidenceError for NaN, infinity, integers beyond 2^53 and lone surrogates."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"cannot be written as canonical JSON: {error}") from error


def loads(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value for which `dumps` writes exactly these bytes. Raises EvidenceError for any other bytes."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"not JSON; truncated or corrupt ({error})") from error
    if dumps(value) != data:
        raise EvidenceError("not canonical JSON (RFC 8785): duplicate keys, unsorted keys or extra white space")
    return value


def named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The pairs of a JSON object, as a hook of `json.loads` that takes other forms too. Raises ValueError for duplicate keys."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a JSON object has duplicate keys")
    return dict(pairs)


def record_of(value: object, keys: frozenset[str], what: str) -> dict[str, Any]:
    """`value`, which must be a JSON object with exactly these keys. Raises EvidenceError."""
    if not isinstance(value, dict) or value.keys() != keys:
        raise EvidenceError(f"{what} must be a JSON object with exactly the keys {', '.join(sorted(keys))}")
    return value


def is_digest(value: object) -> bool:
    """Whether `value` is a SHA-256 digest or a 32-byte key, written as 64 hexadecimal digits."""
    return isinstance(value, str) and HEX_DIGEST.fullmatch(value) is not None


def is_count(value: object, least: int = 0) -> bool:
    """Whether `value` is an integer of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_version(value: object, known: int) -> bool:
    """Whether `value` is the known version; true, which Python equates with 1, is rejected."""
    return is_count(value) and value == known


def sha256(data: bytes) -> str:
    """The digest of `data` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def in_base64(data: bytes) -> str:
    """`data` as base64 text."""
    return base64.b64encode(data).decode()


def from_base64(text: object) -> bytes:
    """The bytes whose base64 `in_base64` writes as exactly this text. Raises EvidenceError."""
    try:
        data = base64.b64decode(str(text), validate=True)
    except (ValueError, binascii.Error) as error:
        raise EvidenceError(f"not base64: {error}") from error
    if in_base64(data) != text:
        raise EvidenceError("base64 with non-zero padding bits")
    return data
