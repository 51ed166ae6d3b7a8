"""Where an ONNX file keeps its tensors, read and rewritten: only permitted files are opened. No torch.

onnxruntime would open any file that an untrusted model names; so it never gets a model that names one.
"""

import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from ownmark.suspects.protobuf import Field, as_field, fields_of

MOST_BYTES = 2 * 2**30  # protobuf's own limit
INSIDE = {  # onnx.proto: message -> field number -> message, for every path to a tensor
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
NAME, RAW, ENTRY, WHERE = 8, 9, 13, 14  # fields of a tensor: name, bytes, an entry of their location, whether external
DEEPEST = 100  # nested messages; protobuf's own limit


def names_other_files(data: bytes) -> bool:
    """Whether any tensor, at any depth, lies outside `data`. Raises ValueError if `data` is not a protobuf message."""
    waiting = [("model", memoryview(data))]
    while waiting:
        kind, message = waiting.pop()
        for field in fields_of(message):
            if kind == "tensor" and field.number in {ENTRY, WHERE} and field.value:
                return True
            if field.number in INSIDE[kind]:
                waiting.append((INSIDE[kind][field.number], memoryview(field.value)))
    return False


def whole(data: bytes, folder: Path) -> bytes:
    """The same model with every tensor inlined from the files that it names in that very folder.

    Raises ValueError for a name that contains a folder, a link that leads out, missing data, and more than 2 GiB.
    """
    inlined = _Inlined(folder.resolve(), [MOST_BYTES]).message("model", memoryview(data), DEEPEST)
    if names_other_files(inlined):
        raise ValueError("still names other files")
    return inlined


@dataclass(frozen=True)
class _Inlined:
    """`left`: how many bytes may still be read, shared by all messages."""

    folder: Path
    left: list[int]

    def message(self, kind: str, message: memoryview, depth: int) -> bytes:
        """A message with all tensors below it inlined."""
        if not depth:
            raise ValueError("messages are nested too deeply")
        found = list(fields_of(message))
        outside = kind == "tensor" and any(field.number in {ENTRY, WHERE} and field.value for field in found)
        if outside:
            kept = (bytes(field.written) for field in found if field.number not in {RAW, ENTRY, WHERE})
            return b"".join((*kept, as_field(RAW, self.data(found))))
        parts = (
            as_field(field.number, self.message(INSIDE[kind][field.number], memoryview(field.value), depth - 1))
            if field.number in INSIDE[kind]
            else bytes(field.written)
            for field in found
        )
        return b"".join(parts)

    def data(self, fields: list[Field]) -> bytes:
        """The data at a tensor's location, offset and length."""
        name = next((bytes(field.value).decode(errors="replace") for field in fields if field.number == NAME), "")
        if not any(field.number == WHERE and bytes(field.value) == b"\x01" for field in fields):
            raise ValueError(f"the tensor {name!r} names another file without declaring its data external")
        entries = dict(_entry(memoryview(field.value)) for field in fields if field.number == ENTRY)
        file = self.file(entries.get("location", ""))
        size = file.stat().st_size
        start, length = _number(entries.get("offset", "0")), _number(entries.get("length", str(size)))
        length = min(length, size - start) if "length" not in entries else length
        if length < 0 or start + length > size:
            raise ValueError(f"{file.name} has {size} bytes, but the tensor {name!r} should end at {start + length}")
        self.left[0] -= length
        if self.left[0] < 0:
            raise ValueError(f"its tensors take more than {MOST_BYTES // 2**30} GiB, the limit for ONNX files")
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read(length)

    def file(self, location: str) -> Path:
        """The file of that name in the folder itself."""
        plain = location == PurePosixPath(location).name == PureWindowsPath(location).name and "\0" not in location
        if not plain or location in {"", ".", ".."}:
            raise ValueError(f"expected a plain file name for its weights, in its own folder, got {location!r}")
        try:
            file = (self.folder / location).resolve(strict=True)
            regular = stat.S_ISREG(file.stat().st_mode)
        except (OSError, RuntimeError) as error:
            raise ValueError(f"cannot find its weights {location} in its own folder: {error}") from error
        if file.parent != self.folder or not regular:
            raise ValueError(f"its weights {location} are not a file in its own folder")
        return file


def _entry(message: memoryview) -> tuple[str, str]:
    """Key and value of an entry."""
    texts = {field.number: bytes(field.value).decode(errors="replace") for field in fields_of(message)}
    return texts.get(1, ""), texts.get(2, "")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - digits of a number in 64 bits
        raise ValueError(f"expected a number as offset or length of its weights, got {text[:40]!r}")
    return int(text)
