"""Store of a bench's artifacts, keyed by the SHA-256 of their specifications.

An entry is a record, `KEY.json`, and the files that it names by digest: `KEY.safetensors`, `KEY.claim`. The record is written
last, and each file atomically, so that a killed process leaves a complete entry or none. A lock is held while an entry is made;
the operating system releases the lock of a dead process.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock

from ownmark.bench.provenance import peak_bytes, provenance
from ownmark.canonical import dumps
from ownmark.files import write_whole

Specification = Mapping[str, Any]  # plain JSON data: everything that determines the artifact
VERSION = 1


@dataclass(frozen=True)
class Made:
    """A finished artifact: `facts` are plain JSON data, `files` are contents by file suffix."""

    facts: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """A stored entry: the record (`specification`, `facts`, `files`, and provenance) and the path of its files."""

    place: Path
    record: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.record["facts"]
        return facts

    def file(self, suffix: str) -> Path:
        return self.place.with_suffix(f".{suffix}")


@dataclass(frozen=True)
class Store:
    """A folder of entries, safe for concurrent use by several processes and by machines that share it."""

    root: Path

    @classmethod
    def default(cls) -> "Store":
        """The store in `OWNMARK_CACHE` or, if unset, in the platform's cache folder."""
        return cls(cache_folder() / "bench")

    def get(self, specification: Specification) -> Entry | None:
        """The entry of exactly this specification, if present and complete."""
        place = self._place(specification)
        try:
            record = json.loads(place.with_suffix(".json").read_bytes())
            entry = Entry(place, record)
            whole = all(_digest(entry.file(suffix)) == digest for suffix, digest in record["files"].items())
        except (OSError, ValueError):
            return None
        return entry if whole else None

    def kept(self, specification: Specification, make: Callable[[], Made]) -> Entry:
        """The entry of this specification; calls `make` if there is none, in one process at a time."""
        entry = self.get(specification)
        if entry is not None:
            return entry
        place = self._place(specification)
        locks = self.root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / place.name):
            entry = self.get(specification)
            return self._made(place, specification, make) if entry is None else entry

    @property
    def workspace(self) -> Path:
        """The folder for a scheme's finished batches of a claim."""
        return self.root / "workspace"

    def _made(self, place: Path, specification: Specification, make: Callable[[], Made]) -> Entry:
        started = time.perf_counter()
        made = make()
        record = {
            "version": VERSION,
            "specification": specification,
            "facts": dict(made.facts),
            "files": {suffix: hashlib.sha256(data).hexdigest() for suffix, data in made.files.items()},
            "seconds": round(time.perf_counter() - started, 3),
            "peak_bytes": peak_bytes(),
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **provenance(),
        }
        place.parent.mkdir(parents=True, exist_ok=True)
        for suffix, data in made.files.items():
            write_whole(place.with_suffix(f".{suffix}"), data)
        text = json.dumps(record, indent=1, allow_nan=False).encode()
        write_whole(place.with_suffix(".json"), text)
        return Entry(place, json.loads(text))

    def _place(self, specification: Specification) -> Path:
        """The path of the entry's files without suffix; one folder per kind, for readability."""
        return self.root / str(specification["kind"]) / hashlib.sha256(dumps(dict(specification))).hexdigest()


def cache_folder() -> Path:
    """`OWNMARK_CACHE`, or `ownmark` in the platform's cache folder."""
    if "OWNMARK_CACHE" in os.environ:
        return Path(os.environ["OWNMARK_CACHE"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "ownmark" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "ownmark"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ownmark"


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
