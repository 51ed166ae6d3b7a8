"""Whether results can be written is found out before any work begins."""

import tempfile
from pathlib import Path

from ownmark.errors import UsageError


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


def check_readable(path: Path, what: str) -> None:
    """Raises UsageError unless `path` is a file."""
    if not path.is_file():
        raise UsageError(f"there is no {what} {path}")
