"""Writing a file whole or not at all. No torch."""

import os
import secrets
from pathlib import Path

from ownmark.errors import UsageError


def write_whole(path: Path, data: bytes) -> None:
    """Write to a neighbour, sync, and rename: after a crash there is the old file or the new one, never half of one.

    The file may be read by whoever may read other new files there. Raises UsageError, with nothing left behind, if the
    folder cannot be written to.
    """
    unfinished = path.parent / f".{path.name}.{secrets.token_hex(8)}"
    try:
        try:
            with unfinished.open("xb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"cannot write {path.name!r} in the folder {path.parent}: {error.strerror or error}") from error
