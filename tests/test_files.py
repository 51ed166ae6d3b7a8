"""Locks and files where the disk has no room left, or is another machine's."""

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

from ownmark.errors import UsageError
from ownmark.files import held, write_whole

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no limit of a file's size")


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can grow, as on a full disk."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_lock_holds_on_a_full_disk_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with no_room(), held(tmp_path / "a.claim"):
        refused = pytest.raises(UsageError, match="another run is using")
        with refused, held(tmp_path / "a.claim"):
            pass
    assert not list(tmp_path.iterdir())


def test_a_file_that_has_no_room_is_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "a.claim"
    file.write_bytes(b"old")
    with no_room(), pytest.raises(UsageError, match="cannot write 'a"):
        write_whole(file, b"new")
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"old"]


def test_a_drive_that_knows_no_locks_is_not_taken_for_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def unsupported(*_: object) -> NoReturn:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    refused = pytest.raises(UsageError, match=r"cannot be locked.*No locks available.*a network drive")
    with refused, held(tmp_path / "a.claim"):
        pass


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_is_written_where_folders_cannot_be_synced(code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network drives; a disk that fails is told."""
    sync = os.fsync

    def of_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        sync(handle)

    monkeypatch.setattr(os, "fsync", of_files)
    if code == errno.EIO:
        with pytest.raises(UsageError, match="Input/output error"):
            write_whole(tmp_path / "a.claim", b"new")
    else:
        write_whole(tmp_path / "a.claim", b"new")
        assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"new"]
