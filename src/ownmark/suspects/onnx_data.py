"""Where an ONNX file keeps its tensors, read and rewritten as plain protobuf: no file is opened that is not allowed. No torch.

onnxruntime would look for other files by itself, wherever a stranger's file points; so it never gets one that points anywhere.
"""

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

MOST_BYTES = 2 * 2**30  # protobuf's own limit
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types of protobuf
INSIDE = {  # onnx.proto: message -> field number -> message, for every path that leads to a tensor
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
NAME, RAW, ENTRY, WHERE = 8, 9, 13, 14  # fields of a tensor: its name and bytes, an entry of where they lie, and if elsewhere
DEEPEST = 100  # messages in messages; protobuf's own limit


@dataclass(frozen=True)
class Field:
    """A field of a message as it stands there: its number, the value, and all its bytes. A whole number is its bytes."""

    number: int
    value: bytes | memoryview
    written: memoryview


def names_other_files(data: bytes) -> bool:
    """Whether any tensor, however deep, lies outside `data`. Raises ValueError for what is no protobuf message."""
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for field in _fields(message):
            if kind == "tensor" and field.number in {ENTRY, WHERE} and field.value:
                return True
            if field.number in INSIDE[kind]:
                waiting.append((INSIDE[kind][field.number], memoryview(field.value)))
    return False


def whole(data: bytes, folder: Path) -> bytes:
    """The same model with every tensor inside it, of files that it names and that lie in that very folder.

    Raises ValueError for a name with a folder in it, a link that leads out, data that is not there, and more than 2 GiB.
    """
    inlined = _Inlined(folder.resolve(), [MOST_BYTES]).message("model", memoryview(data), DEEPEST)
    if names_other_files(inlined):
        raise ValueError("it still names other files")
    return inlined


@dataclass(frozen=True)
class _Inlined:
    """`left`: how many bytes may still be read, in one place for all messages."""

    folder: Path
    left: list[int]

    def message(self, kind: str, message: memoryview, depth: int) -> bytes:
        """A message with all tensors below it inlined."""
        if not depth:
            raise ValueError("it holds messages in messages without end")
        fields = list(_fields(message))
        outside = kind == "tensor" and any(field.number in {ENTRY, WHERE} and field.value for field in fields)
        if outside:
            kept = (bytes(field.written) for field in fields if field.number not in {RAW, ENTRY, WHERE})
            return b"".join((*kept, _written(RAW, self.data(fields))))
        parts = (
            _written(field.number, self.message(INSIDE[kind][field.number], memoryview(field.value), depth - 1))
            if field.number in INSIDE[kind]
            else bytes(field.written)
            for field in fields
        )
        return b"".join(parts)

    def data(self, fields: list[Field]) -> bytes:
        """What a tensor's entries say of location, offset and length."""
        name = next((bytes(field.value).decode(errors="replace") for field in fields if field.number == NAME), "")
        if not any(field.number == WHERE and bytes(field.value) == b"\x01" for field in fields):
            raise ValueError(f"the tensor {name!r} names another file without saying that it lies there")
        entries = dict(_entry(memoryview(field.value)) for field in fields if field.number == ENTRY)
        file = self.file(entries.get("location", ""))
        size = file.stat().st_size
        start, length = _number(entries.get("offset", "0")), _number(entries.get("length", str(size)))
        length = min(length, size - start) if "length" not in entries else length
        if length < 0 or start + length > size:
            raise ValueError(f"{file.name} has {size} bytes, but the tensor {name!r} is said to end at {start + length}")
        self.left[0] -= length
        if self.left[0] < 0:
            raise ValueError(f"its tensors take more than {MOST_BYTES // 2**30} GiB, which no ONNX file may")
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read(length)

    def file(self, location: str) -> Path:
        """The file of that name in the folder itself."""
        plain = location == PurePosixPath(location).name == PureWindowsPath(location).name and "\0" not in location
        if not plain or location in {"", ".", ".."}:
            raise ValueError(f"it names {location!r} for its weights, which must lie in its own folder and be named without one")
        try:
            file = (self.folder / location).resolve(strict=True)
            regular = stat.S_ISREG(file.stat().st_mode)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"its weights {location} do not lie beside it: {error}") from error
        if file.parent != self.folder or not regular:
            raise ValueError(f"its weights {location} are a link out of its folder, or no file")
        return file


def _entry(message: memoryview) -> tuple[str, str]:
    """Key and value of an entry."""
    texts = {field.number: bytes(field.value).decode(errors="replace") for field in _fields(message)}
    return texts.get(1, ""), texts.get(2, "")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - digits of a number in 64 bits
        raise ValueError(f"an offset or a length of its weights is no number: {text[:40]!r}")
    return int(text)


def _written(number: int, value: bytes) -> bytes:
    """A field of bytes."""
    return b"".join((_as_varint(number << 3 | BYTES), _as_varint(len(value)), value))


def _as_varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follows."""
    parts = [value & 127]
    while value := value >> 7:
        parts[-1] |= 128
        parts.append(value & 127)
    return bytes(parts)


def _fields(message: memoryview) -> Iterator[Field]:
    """Every field; a whole number is given as bytes without leading zeros."""
    at = 0
    while at < len(message):
        start = at
        key, at = _varint(message, at)
        if key & 7 == VARINT:
            number, at = _varint(message, at)
            yield Field(key >> 3, number.to_bytes((number.bit_length() + 7) // 8), message[start:at])
            continue
        sizes = {FIXED64: 8, FIXED32: 4}
        size, at = _varint(message, at) if key & 7 == BYTES else (sizes.get(key & 7, len(message) + 1), at)
        if at + size > len(message):
            raise ValueError("it is cut short or of another kind")
        at += size
        yield Field(key >> 3, message[at - size : at], message[start:at])


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The whole number at `at`, seven bits a byte, and where it ends."""
    value = 0
    for place in range(at, min(at + 10, len(message))):
        value |= (message[place] & 127) << 7 * (place - at)
        if message[place] < 128:  # noqa: PLR2004 - the highest bit says that more follows
            return value, place + 1
    raise ValueError("it is cut short or of another kind")
