"""What kind of file of weights lies there, told by its content and not by its name. No torch, and nothing in it is run."""

import zipfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ownmark.errors import ModelError

HEAD = 512  # bytes that tell the kind
LONGEST = 100_000_000  # bytes of a safetensors header, by the format's own limit
INDEX = ".safetensors.index.json"


class Kind(Enum):
    """How a file of weights is read."""

    SAFETENSORS = "safetensors"
    SHARDS = "an index of safetensors shards"
    TORCH = "a file of torch.save"


@dataclass(frozen=True)
class Other:
    """What is no file of weights: what it is, and the way out."""

    name: str
    advice: str


TORCHSCRIPT = Other(
    "a TorchScript archive: a program, not weights",
    "Where it was made, run torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt') and name its network, "
    "or export it to ONNX",
)
EXPORTED = Other(
    "an archive of torch.export (.pt2): a program, not weights",
    "Where it was made, run torch.save(dict(torch.export.load(FILE).state_dict), 'weights.pt') and name its network, "
    "or export it to ONNX",
)
ARCHIVE = Other("a zip archive, but not one of torch.save", "Name the file of weights in it")
EMPTY = Other("empty: it has no bytes", "Copy or download it again")
MAGIC = {  # how a file begins
    b"version https://git-lfs": Other("a pointer of Git LFS, not the weights themselves", "Run git lfs pull where it came from"),
    b"<!DOCTYPE": Other("a web page", "Download the weights again: what came was a page about them"),
    b"<!doctype": Other("a web page", "Download the weights again: what came was a page about them"),
    b"<html": Other("a web page", "Download the weights again: what came was a page about them"),
    b"\x89HDF\r\n\x1a\n": Other("an HDF5 file, as Keras writes them", "Export the model to ONNX and name that file"),
    b"GGUF": Other("a GGUF file", "Export the model to ONNX and name that file"),
    b"\x1f\x8b": Other("packed by gzip", "Unpack it first"),
}


def kind_of(path: Path) -> Kind:
    """The kind of file. Raises ModelError that says what it is, and the way out, for what is none of weights."""
    try:
        size, head = path.stat().st_size, _head(path)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {error.strerror or error}") from error
    if path.name.endswith(INDEX):
        return Kind.SHARDS
    if _is_safetensors(head, size):
        return Kind.SAFETENSORS
    other = _other(path, head, size)
    if other is not None:
        raise ModelError(f"{path} is {other.name}. {other.advice}")
    if path.suffix == ".safetensors":
        raise ModelError(f"{path} is no sound safetensors file: it is damaged, cut short or of another kind")
    return Kind.TORCH


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Eight bytes tell how long the JSON header is that follows."""
    length = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and length <= min(size - 8, LONGEST)  # noqa: PLR2004 - those eight bytes


def _other(path: Path, head: bytes, size: int) -> Other | None:
    """What it is, if it is plainly something else."""
    if not size:
        return EMPTY
    if head.startswith(b"PK"):
        return _archive(path)
    return next((other for magic, other in MAGIC.items() if head.startswith(magic)), None)


def _archive(path: Path) -> Other | None:
    """What a zip holds, by the names in it; None for what torch.save writes, and for a damaged one, of which torch will tell."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [name.partition("/")[2] for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if "archive_format" in inside or "models/model.json" in inside or "serialized_exported_program.json" in inside:
        return EXPORTED
    if any(name.startswith("code/") for name in inside):
        return TORCHSCRIPT
    return None if "data.pkl" in inside else ARCHIVE
