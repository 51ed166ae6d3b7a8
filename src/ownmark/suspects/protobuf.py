"""The wire format of protobuf, without its library: what ONNX files and gRPC messages are made of. No torch."""

from collections.abc import Iterator
from dataclasses import dataclass

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf


@dataclass(frozen=True)
class Field:
    """A field of a message: its number, its value and all its bytes. An integer is represented by its bytes."""

    number: int
    value: bytes | memoryview
    written: memoryview


def fields_of(message: memoryview) -> Iterator[Field]:
    """Every field of a message; an integer is returned as bytes without leading zeros. Raises ValueError where it is none."""
    at = 0
    while at < len(message):
        start = at
        key, at = varint(message, at)
        if key & 7 == VARINT:
            number, at = varint(message, at)
            yield Field(key >> 3, number.to_bytes((number.bit_length() + 7) // 8), message[start:at])
            continue
        sizes = {FIXED64: 8, FIXED32: 4}
        size, at = varint(message, at) if key & 7 == BYTES else (sizes.get(key & 7, len(message) + 1), at)
        if at + size > len(message):
            raise ValueError("truncated, or not a protobuf message")
        at += size
        yield Field(key >> 3, message[at - size : at], message[start:at])


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer at `at`, seven bits per byte, and its end."""
    value = 0
    for place in range(at, min(at + 10, len(message))):
        value |= (message[place] & 127) << 7 * (place - at)
        if message[place] < 128:  # noqa: PLR2004 - the highest bit marks a continuation
            return value, place + 1
    raise ValueError("truncated, or not a protobuf message")


def as_field(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return b"".join((as_varint(number << 3 | BYTES), as_varint(len(value)), value))


def as_varint(value: int) -> bytes:
    """Seven bits per byte, the lowest first; the highest bit marks a continuation."""
    parts = [value & 127]
    while value := value >> 7:
        parts[-1] |= 128
        parts.append(value & 127)
    return bytes(parts)
