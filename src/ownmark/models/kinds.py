"""Detects the kind of a weights file from its content, not its name. No torch; runs none of its code."""

import zipfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ownmark.errors import ModelError

HEAD = 512  # bytes that identify the kind
ZIP = b"PK"  # how a zip archive begins
LONGEST = 100_000_000  # bytes of a safetensors header; the format's own limit
INDEX = ".safetensors.index.json"


class Kind(Enum):
    """Formats of a weights file."""

    SAFETENSORS = "safetensors"
    SHARDS = "a safetensors shard index"
    TORCH = "a torch.save file"


@dataclass(frozen=True)
class Other:
    """A file that is not a weights file: what it is, and what to do instead."""

    name: str
    advice: str


TORCHSCRIPT = Other(
    "a TorchScript archive: a program, not weights",
    "Where it was made, run torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt') and name its network, "
    "or export it to ONNX",
)
EXPORTED = Other(
    "a torch.export archive (.pt2): a program, not weights",
    "Where it was made, run torch.save(dict(torch.export.load(FILE).state_dict), 'weights.pt') and name its network, "
    "or export it to ONNX",
)
ARCHIVE = Other("a zip archive, but not from torch.save", "Name the weights file in it")
EMPTY = Other("empty", "Copy or download it again")
MAGIC = {  # how a file begins
    b"version https://git-lfs": Other("a Git LFS pointer, not the weights themselves", "Run git lfs pull in its repository"),
    b"<!DOCTYPE": Other("a web page", "Download the weights again: this is a page about them"),
    b"<!doctype": Other("a web page", "Download the weights again: this is a page about them"),
    b"<html": Other("a web page", "Download the weights again: this is a page about them"),
    b"\x89HDF\r\n\x1a\n": Other("an HDF5 file, as written by Keras", "Export the model to ONNX and name that file"),
    b"GGUF": Other("a GGUF file", "Export the model to ONNX and name that file"),
    b"\x1f\x8b": Other("a gzip archive", "Unpack it first"),
}


def kind_of(path: Path) -> Kind:
    """The format of a weights file. Raises ModelError that says what another file is and what to do."""
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
        raise ModelError(f"{path} is not a valid safetensors file: corrupt, truncated or of another kind")
    return Kind.TORCH


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD)


def _is_safetensors(head: bytes, size: int) -> bool:
    """Whether eight bytes give the length of a JSON header that follows."""
    length = int.from_bytes(head[:8], "little")
    return len(head) > 8 and head[8:9] == b"{" and length <= min(size - 8, LONGEST)  # noqa: PLR2004 - those eight bytes


def _other(path: Path, head: bytes, size: int) -> Other | None:
    """What the file is, if its first bytes show that it is not a weights file."""
    if not size:
        return EMPTY
    if head.startswith(ZIP):
        return packed_in(path)
    return next((other for magic, other in MAGIC.items() if head.startswith(magic)), None)


def packed_in(path: Path) -> Other | None:
    """What a zip file is, by its member names; None for a torch.save file, and for a corrupt one, which torch reports."""
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
