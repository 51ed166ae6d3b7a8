"""glibc's checking allocator: what switches it on, and whether it acts in this process (run as a script: exit 1 if not)."""

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any

LIBRARY = "libc_malloc_debug.so.0"  # since glibc 2.34 the checks are in a library of their own
SWITCHES = {"LD_PRELOAD": LIBRARY, "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
ODD = 61  # bytes that no allocator hands out exactly, but one that guards the byte behind them


def checking(**more: str) -> dict[str, str]:
    """The environment for a process whose allocator checks; without effect where glibc's library is not there."""
    return {**os.environ, **(SWITCHES if is_there() else {}), **more}


def is_there() -> bool:
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True


def acts() -> bool:
    """Whether this process's allocator guards the end of each block. The versioned names are those that libraries link to."""
    try:
        look_up = ctypes.CDLL(None).dlvsym
    except AttributeError:  # no glibc
        return False
    look_up.restype, look_up.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
    allocate = _function(look_up(None, b"malloc", b"GLIBC_2.2.5"), ctypes.c_void_p, ctypes.c_size_t)
    usable = _function(look_up(None, b"malloc_usable_size", b"GLIBC_2.2.5"), ctypes.c_size_t, ctypes.c_void_p)
    if allocate is None or usable is None:
        return False
    return bool(usable(allocate(ODD)) == ODD)


def _function(address: int | None, answer: Any, asked: Any) -> Callable[[int], int] | None:
    return None if address is None else ctypes.CFUNCTYPE(answer, asked)(address)


if __name__ == "__main__":
    if not acts():
        sys.exit("the checking allocator does not act here: it needs glibc 2.34 or newer on x86-64, with its debug library")
