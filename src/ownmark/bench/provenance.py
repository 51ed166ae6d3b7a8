"""Provenance of a result: packages, revision, machine."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("ownmark", "torch", "torchvision", "torch-pruning", "numpy", "scipy")


@cache
def provenance() -> dict[str, Any]:
    """Plain JSON data; `revision` is that of the source tree and null in an installed package."""
    revision = _git("rev-parse", "HEAD")
    return {
        "packages": {name: _version(name) for name in PACKAGES},
        "revision": revision,
        "dirty": None if revision is None else bool(_git("status", "--porcelain", "--", str(_tree()))),
        "machine": {
            "name": platform.node(),
            "system": platform.platform(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }


def peak_bytes() -> int | None:
    """The most memory that this process has held so far; None where the system does not say."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _tree() -> Path:
    return Path(__file__).parents[1]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(*words: str) -> str | None:
    """Git's output for the folder of this file, if tracked; None without git."""
    try:
        tracked = _ran("ls-files", "--error-unmatch", __file__)
        done = _ran(*words) if tracked.returncode == 0 else tracked
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(_tree()), *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
