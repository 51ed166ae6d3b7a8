"""Atomic file writes, checks made before any work, and locks that one process at a time can hold. No torch."""

import errno
import os
import platform
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from ownmark.errors import UsageError

HELD = {errno.EAGAIN, errno.EACCES, errno.EDEADLK}  # how systems say that somebody else holds a lock
UNSYNCED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EPERM}  # of network drives, say
FAR = 2**30  # a byte beyond any lock file: Windows blocks other processes from reading locked bytes


def write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary file, sync and rename: after a crash the folder holds the old file or the new one, never half of one.

    The file gets the default permissions of new files. Raises UsageError and leaves nothing behind if the folder is not writable.
    """
    unfinished = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        try:
            with unfinished.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path.name!r} in the folder {path.parent}: {error.strerror or error}") from error


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`. Raises UsageError that names the holder; the lock of a killed process is released.

    A lock needs no bytes: where the disk is full, it is held without a name in it.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        stream = open(lock, "ab+", buffering=0, opener=_not_through_a_link)  # noqa: SIM115 - Path has no opener
    except OSError as error:
        raise UsageError(f"cannot write {lock.name!r} in the folder {lock.parent}: {error.strerror or error}") from error
    with stream:
        try:
            mine = _locked(stream)
        except OSError as error:
            raise UsageError(
                f"{lock.name!r} cannot be locked in the folder {lock.parent}: {error.strerror or error}; a network drive may "
                "know no locks: work in a folder on this machine"
            ) from error
        if not mine or not lock.exists() or not os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
            stream.seek(0)
            holder = stream.read().decode(errors="replace") or "another process"
            raise UsageError(f"another run is using {path}: {holder}; wait for it or name another file")
        try:
            with suppress(OSError):
                stream.truncate(0)
                stream.write(
                    f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode()
                )
            yield
        finally:
            with suppress(OSError):  # Windows keeps a file that is open
                lock.unlink()


def _not_through_a_link(path: str, flags: int) -> int:
    """Refuse symbolic links: anyone who can write to the folder could otherwise make us truncate another file."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _locked(stream: IO[bytes]) -> bool:
    """Whether this process now holds the lock; the system releases it when the process ends, even if killed.

    Raises OSError where the file system knows no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            stream.seek(FAR)
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in HELD:
            raise
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can; where it cannot, the file is written all the same."""
    if sys.platform == "win32":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in UNSYNCED:
            raise


def check_writable(path: Path) -> None:
    """Raises UsageError unless a file can be written at `path`; leaves nothing behind."""
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {folder}; make it first")
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it")
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; name another folder") from error


def check_new(path: Path, why: str) -> None:
    """Raises UsageError that says `why`, where writing to `path` would overwrite what cannot be made again."""
    if path.exists():
        raise UsageError(f"{path} exists, and {why}")


def check_readable(path: Path, what: str) -> None:
    """Raises UsageError unless `path` is a file."""
    if not path.is_file():
        raise UsageError(f"there is no {what} {path}")
