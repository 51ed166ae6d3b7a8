"""What is in an archive or a folder, file by file and within limits: nothing is written by a stranger's name. No torch.

A zip file names the size of all that is in it, before anything is unpacked; what lies about it is found out while it is read.
"""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from ownmark.errors import UsageError
from ownmark.finding.contents import Archive

PIECE = 2**20  # bytes read at once
SMALL = 2**20  # bytes up to which any ratio is harmless
ENCRYPTED = 1  # the bit of a zip member's flags
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of apps; others may take any amount of memory
UNREADABLE = (zipfile.BadZipFile, zlib.error, tarfile.TarError, OSError, EOFError, ValueError, RuntimeError, NotImplementedError)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a search unpacks at most: bytes of one `member` and in `total`, unpacked bytes per packed byte (`ratio`), archives
    within archives (`depth`), and files (`count`)."""

    member: int = 2**30
    total: int = 8 * 2**30
    ratio: int = 200
    depth: int = 4
    count: int = 100_000

    def __post_init__(self) -> None:
        if min(self.member, self.total, self.ratio, self.depth, self.count) < 1:
            raise UsageError(f"the limits of a search are positive, got {self}")


class LimitError(Exception):
    """A file that is not unpacked; the message says why."""


@dataclass(frozen=True)
class Member:
    """A file in an archive, as the archive tells it: its `name`, its `size` and how much of the archive it takes (`packed`), in
    bytes; -1 where that is not told. `doubt`: why it is not read, "" where nothing is against it."""

    name: str
    size: int
    packed: int
    opened: Callable[[], IO[bytes]]
    doubt: str = ""

    def refusal(self, limits: Limits) -> str:
        """Why it is not read, "" if it may be."""
        if _leads_out(self.name):
            return "its name leads out of the archive"
        if self.size > limits.member:
            return f"it declares {self.size} bytes, more than the limit of {limits.member}"
        if self.doubt:
            return self.doubt
        if self.size > SMALL and 0 <= self.packed * limits.ratio < self.size:
            return f"it would grow to {self.size / max(self.packed, 1):.0f} times its packed size, more than {limits.ratio} times"
        return ""


@contextmanager
def members_of(file: Path, kind: Archive) -> Iterator[Iterator[Member]]:
    """The files in an archive. Raises LimitError for one that cannot be read."""
    readers = {Archive.ZIP: _in_zip, Archive.TAR: _in_tar, Archive.GZIP: _in_gzip}
    with ExitStack() as stack:
        try:
            found = readers[kind](file, stack)
        except UNREADABLE as error:
            raise LimitError(f"it cannot be read as a {kind.value} archive: {error}") from error
        yield _readable(found, kind)


def copied(member: Member, target: Path, limits: Limits, left: int) -> int:
    """Write a member's bytes to a file of our own choice, and give their number, which is at most `left`. Raises LimitError."""
    most = min(limits.member, left)
    if member.packed >= 0:
        most = min(most, max(SMALL, member.packed * limits.ratio))
    try:
        with member.opened() as source, target.open("wb") as sink:
            return _poured(source, sink, most)
    except UNREADABLE as error:
        raise LimitError(f"it cannot be unpacked: {error}") from error


def _poured(source: IO[bytes], sink: IO[bytes], most: int) -> int:
    written = 0
    while piece := source.read(PIECE):
        written += len(piece)
        if written > most:
            raise LimitError(f"it grows beyond {most} bytes while it is unpacked")
        sink.write(piece)
    return written


def head_of(member: Member, size: int) -> bytes:
    """How a member begins. Raises LimitError."""
    try:
        with member.opened() as source:
            return source.read(size)
    except UNREADABLE as error:
        raise LimitError(f"it cannot be unpacked: {error}") from error


def _readable(members: Iterator[Member], kind: Archive) -> Iterator[Member]:
    try:
        yield from members
    except UNREADABLE as error:
        raise LimitError(f"it cannot be read to its end as a {kind.value} archive: {error}") from error


def _leads_out(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return ".." in parts or name.startswith(("/", "\\")) or name[1:2] == ":" or "\0" in name


def _in_zip(file: Path, stack: ExitStack) -> Iterator[Member]:
    opened = stack.enter_context(zipfile.ZipFile(file))
    ends = _ends(opened, file.stat().st_size)

    def member(one: zipfile.ZipInfo) -> Member:
        told = (one.orig_filename, one.file_size, one.compress_size)
        return Member(*told, lambda: opened.open(one), _doubt(one, ends[one.header_offset]))

    return (member(one) for one in opened.infolist() if not one.is_dir())


def _ends(opened: zipfile.ZipFile, size: int) -> dict[int, int]:
    """Where each member has to end at the latest: where the next one begins."""
    starts = sorted({one.header_offset for one in opened.infolist()})
    return dict(zip(starts, [*starts[1:], size], strict=True))


def _doubt(one: zipfile.ZipInfo, end: int) -> str:
    if one.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if one.compress_type not in METHODS:
        return f"it is packed by method {one.compress_type} of zip files, which is not read"
    if stat.S_ISLNK(one.external_attr >> 16):
        return "it is a link"
    if one.header_offset + one.compress_size > end and one.file_size:
        return "its bytes are said to lie over those of another file, or beyond the archive's end"
    return ""


def _in_tar(file: Path, stack: ExitStack) -> Iterator[Member]:
    opened = stack.enter_context(tarfile.open(file, "r:"))  # noqa: SIM115 - the stack closes it

    def member(one: tarfile.TarInfo) -> Member:
        def bytes_of() -> IO[bytes]:
            stream = opened.extractfile(one)
            if stream is None:
                raise tarfile.ReadError("no file")
            return stream

        doubt = "" if one.isreg() and not one.issparse() else "it is a link, a device or full of holes"
        return Member(one.name, one.size, -1, bytes_of, doubt)

    return (member(one) for one in opened if not one.isdir())


def _in_gzip(file: Path, stack: ExitStack) -> Iterator[Member]:  # noqa: ARG001 - opened when it is read
    return iter((Member("content", -1, file.stat().st_size, lambda: cast("IO[bytes]", gzip.open(file))),))
