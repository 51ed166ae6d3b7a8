"""Codes that show who wrote a ledger: a user's own key, and an HMAC per row that nobody else can forge. No torch.

A judge trusts only answers that he got himself. Each kept answer carries a code (HMAC-SHA-256, RFC 2104) under a key of its
ledger, which derives from the user's own key; that key is stored apart from all evidence and readable by nobody else.
"""

import hashlib
import hmac
import os
import secrets
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ownmark.errors import UsageError

SIZE = 32  # bytes of a key, a nonce or a code
VARIABLE = "OWNMARK_STATE"  # environment variable for the folder of the key, in place of the default
NAME = "judge.key"
OTHERS = 0o077  # permissions of other users
NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # Windows has no such flag, and only administrators can create links


@dataclass(frozen=True)
class LedgerCodes:
    """The codes on the rows of one ledger: its `nonce` is public, the key that derives from it and the user's own is not."""

    nonce: bytes
    user: bytes = field(repr=False)

    @classmethod
    def begun(cls, user: bytes) -> "LedgerCodes":
        """Those of a new ledger, with a random nonce."""
        return cls(secrets.token_bytes(SIZE), user)

    @property
    def code(self) -> str:
        """Proof that this user drew the nonce, 64 hexadecimal digits."""
        return _code(self.user, b"ownmark hearing\0" + self.nonce)

    def signed(self, told: Sequence[object]) -> str:
        """The code of one row of plain values, 64 hexadecimal digits."""
        key = bytes.fromhex(_code(self.user, b"ownmark rows\0" + self.nonce))
        return _code(key, b"".join(_framed(one) for one in told))


def _framed(value: object) -> bytes:
    """A value preceded by its type and length, so that no two rows have the same encoding."""
    kind = "none" if value is None else "number" if isinstance(value, int) else "text"
    text = str(value).encode("utf-8", "surrogatepass")
    return f"{kind} {len(text)} ".encode() + text


def _code(key: bytes, told: bytes) -> str:
    return hmac.new(key, told, hashlib.sha256).hexdigest()


def equal(first: object, second: str) -> bool:
    """Compare two codes in constant time."""
    return isinstance(first, str) and hmac.compare_digest(first.encode("utf-8", "surrogatepass"), second.encode())


def state_folder() -> Path:
    """The folder of this user's key: `OWNMARK_STATE`, or the system's folder for application state."""
    if told := os.environ.get(VARIABLE):
        return Path(told)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home()) / "ownmark"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ownmark"


def user_key() -> bytes:
    """This user's key, created on first use. Raises UsageError if it cannot be stored or if others could read it."""
    try:
        file = state_folder() / NAME
    except RuntimeError as error:
        raise UsageError(f"cannot find a folder for your own key; set {VARIABLE} to a folder that only you can read") from error
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists() or file.is_symlink():
            _make(file)
        return _read(file)
    except OSError as error:
        raise UsageError(
            f"cannot store your own key, which authenticates your ledgers, in {file.parent}: {error.strerror or error}; "
            f"set {VARIABLE} to a folder that only you can write to"
        ) from error


def _make(file: Path) -> None:
    """Write a new key atomically, unless another process has done so meanwhile."""
    unfinished = file.with_name(f".{NAME}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_LINK, 0o600)
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - open from a handle
            stream.write(secrets.token_bytes(SIZE))
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(file: Path) -> bytes:
    with open(os.open(file, os.O_RDONLY | NO_LINK), "rb") as stream:  # noqa: PTH123 - never follow a link
        told = os.fstat(stream.fileno())
        if not stat.S_ISREG(told.st_mode) or (sys.platform != "win32" and told.st_mode & OTHERS):
            raise UsageError(f"others can read your key {file} and could forge your ledgers: chmod 600 it, or remove it")
        key = stream.read(SIZE + 1)
    if len(key) != SIZE:
        raise UsageError(f"{file} is not a key of {SIZE} bytes: remove it and start new ledgers")
    return key
