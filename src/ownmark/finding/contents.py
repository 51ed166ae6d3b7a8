"""What a file is, by its content: a model of some format, an archive, or neither. No torch; runs nothing of it."""

import mmap
import re
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ownmark.suspects.protobuf import fields_of

HEAD = 4096  # bytes that tell whether a file is worth a closer look
LONGEST = 100_000_000  # bytes of a safetensors header; the format's own limit
CODE = "it can hold a program, and a scan runs none: ask it by itself"
CORE_ML = 200  # the first number of a field that holds a Core ML model
ONNX_PARTS = {*range(1, 9), 14, 20, 25, 26}  # fields of onnx.ModelProto
GRAPH, OPSETS = 7, 8  # those that every model has
GRAPH_PARTS = {1, 2, 5, *range(10, 17)}  # fields of onnx.GraphProto
FIRST_NODES = {b"Placeholder", b"PlaceholderWithDefault", b"Const"}  # with which a graph of TensorFlow begins
NCNN_TEXT, NCNN_BINARY = b"7767517", (7767517).to_bytes(4, "little")
TAR_AT, TAR = 257, b"ustar"


@dataclass(frozen=True)
class Format:
    """A format of models: `suffixes` by which kinds of suspects know it, the usual one first.

    `beside`: the suffix of a file of the same stem that belongs to it; `why`: why a scan never asks such a file, "" if it does.
    """

    name: str
    suffixes: tuple[str, ...]
    beside: str = ""
    why: str = ""


class Archive(Enum):
    """What holds other files."""

    ZIP = "zip"
    TAR = "tar"
    GZIP = "gzip"


ONNX = Format("ONNX", (".onnx",))
TORCH = Format("weights of torch", (".pt", ".pth"))
MAGIC: tuple[tuple[int, bytes, Format], ...] = (  # where, what, which format
    (4, b"TFL3", Format("LiteRT (TensorFlow Lite)", (".tflite",))),
    (4, b"ORTM", Format("ONNX Runtime's own format", (".ort",))),
    (4, b"ET1", Format("ExecuTorch", (".pte",))),
    (0, b"\x89HDF\r\n\x1a\n", Format("HDF5, as Keras writes it", (".h5", ".keras"))),
    (0, b"GGUF", Format("GGUF", (".gguf",))),
    (0, NCNN_TEXT, Format("ncnn", (".param",), beside=".bin")),
    (0, NCNN_BINARY, Format("ncnn, binary", (".param.bin",))),
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", TORCH),
)
SAFETENSORS = Format("weights in safetensors", (".safetensors",))
OPENVINO = Format("OpenVINO IR", (".xml",), beside=".bin")
GRAPHDEF = Format("a graph of TensorFlow", (".pb",))
COREML = Format("Core ML", (".mlmodel",))
TORCHSCRIPT = Format("TorchScript", (".torchscript", ".ts"), why=CODE)
EXPORTED = Format("a program of torch.export", (".pt2",))
KERAS = Format("Keras", (".keras",))
PICKLE = Format("a Python pickle", (".pkl",), why=CODE)
TOLD = (
    ONNX,
    TORCH,
    SAFETENSORS,
    OPENVINO,
    GRAPHDEF,
    COREML,
    TORCHSCRIPT,
    EXPORTED,
    KERAS,
    PICKLE,
    *(known for _, _, known in MAGIC),
)
NAMED = {  # suffixes of models, by which one is missed whose content cannot be read
    *(".onnx", ".ort", ".tflite", ".lite", ".pte", ".ptl", ".pt", ".pth", ".pt2", ".safetensors", ".mnn", ".dlc", ".pb"),
    *(".mlmodel", ".caffemodel", ".gguf", ".h5", ".keras", ".tnnmodel", ".nb"),
}
PROTOBUF = {number << 3 | 2 for number in ONNX_PARTS} | {number << 3 for number in ONNX_PARTS}  # first bytes of such a message


def worth_a_look(head: bytes) -> bool:
    """Whether a file that begins so could be a model or an archive; most files of an app plainly are neither."""
    if any(head.startswith(magic, at) for at, magic, _ in MAGIC) or archive_of(head) is not None:
        return True
    return head[:1] in {b"<", b"\x80", b"\xef"} or head[8:9] == b"{" or bool(head and head[0] in PROTOBUF)


def archive_of(head: bytes) -> Archive | None:
    """What kind of archive begins so; a model that is a zip file is one, too."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Archive.ZIP
    if head.startswith(b"\x1f\x8b"):
        return Archive.GZIP
    return Archive.TAR if head.startswith(TAR, TAR_AT) else None


def content_of(file: Path) -> Format | Archive | None:
    """What a file is: a model, an archive that is none, or neither. Raises OSError."""
    with file.open("rb") as stream:
        head = stream.read(HEAD)
        if not head:
            return None
        for at, magic, known in MAGIC:
            if head.startswith(magic, at):
                return known
        found = archive_of(head)
        if found is not None:
            return _zipped(file) if found is Archive.ZIP else found
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _written(head, data)


def _written(head: bytes, data: mmap.mmap) -> Format | None:
    """A model that no fixed bytes tell, by how it is built."""
    tests: tuple[tuple[Callable[[], bool], Format], ...] = (
        (lambda: _is_safetensors(head, len(data)), SAFETENSORS),
        (lambda: _is_openvino(head), OPENVINO),
        (lambda: head[:1] == b"\x80" and 2 <= head[1] <= 5 and data[-1:] == b".", PICKLE),  # noqa: PLR2004 - its protocols
    )
    return next((known for test, known in tests if test()), None) or _message(memoryview(data))


def _message(data: memoryview) -> Format | None:
    """A model in protobuf."""
    parts: dict[int, bytes] = {}
    try:
        for field in fields_of(data):
            parts.setdefault(field.number, bytes(field.value[:HEAD]))
    except ValueError:
        return None
    if {GRAPH, OPSETS} <= parts.keys() <= ONNX_PARTS:
        return ONNX if _starts_with(parts[GRAPH], GRAPH_PARTS) else None
    if {1, 2} <= parts.keys() and max(parts) >= CORE_ML:
        return COREML
    return GRAPHDEF if parts.keys() <= {1, 2, 3, 4} and _first_node(parts.get(1, b"")) in FIRST_NODES else None


def _starts_with(message: bytes, known: Collection[int]) -> bool:
    """Whether the first field of a message, which may be cut short, is one of those."""
    return bool(message) and message[0] >> 3 in known


def _first_node(message: bytes) -> bytes:
    """The operation of a node of TensorFlow, b"" where it is none."""
    try:
        parts = {field.number: bytes(field.value) for field in fields_of(memoryview(message))}
    except ValueError:
        return b""
    return parts.get(2, b"")


def _is_safetensors(head: bytes, size: int) -> bool:
    """Whether eight bytes give the length of a JSON header that follows."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= min(size - 8, LONGEST)  # noqa: PLR2004 - "{}"


def _is_openvino(head: bytes) -> bool:
    return bool(re.match(rb"\s*(\xef\xbb\xbf)?(<\?xml[^>]*>)?\s*<net\s[^>]*version=", head))


def _zipped(file: Path) -> Format | Archive:
    """A zip file that is one model, or an archive."""
    try:
        with zipfile.ZipFile(file) as opened:
            names = set(opened.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return Archive.ZIP
    inside = names | {name.partition("/")[2] for name in names}
    if inside & {"archive_format", "models/model.json", "serialized_exported_program.json"}:
        return EXPORTED
    if "data.pkl" in inside:
        return TORCHSCRIPT if any(name.startswith("code/") for name in inside) else TORCH
    return KERAS if {"config.json", "model.weights.h5"} <= names else Archive.ZIP
