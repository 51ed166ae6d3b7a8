"""Where everything that a bench makes is kept, under the SHA-256 of what it was made of.

An entry is a record, `KEY.json`, and the files that it names by their digests: `KEY.safetensors`, `KEY.claim`. The record is
written last, and each file whole or not at all, so that a killed process leaves an entry or nothing. While an entry is made its
lock is held; the operating system drops the lock of a process that died.
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

from ownmark.bench.provenance import provenance
from ownmark.canonical import dumps
from ownmark.files import write_whole

Specification = Mapping[str, Any]  # plain JSON data: all that decides what is made
VERSION = 1


@dataclass(frozen=True)
class Made:
    """What came of a making: `facts` are plain JSON data, `files` are contents by the suffix of their name."""

    facts: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """What is kept: the record (`specification`, `facts`, `files`, and how it was made) and where its files lie."""

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
    """A folder of entries, which several processes, and machines that share it, may use at once."""

    root: Path

    @classmethod
    def default(cls) -> "Store":
        """The one in `OWNMARK_CACHE` or, without it, in the platform's folder for such things."""
        return cls(cache_folder() / "bench")

    def get(self, specification: Specification) -> Entry | None:
        """The entry of exactly this specification, if it is there and whole."""
        place = self._place(specification)
        try:
            record = json.loads(place.with_suffix(".json").read_bytes())
            entry = Entry(place, record)
            whole = all(_digest(entry.file(suffix)) == digest for suffix, digest in record["files"].items())
        except (OSError, ValueError):
            return None
        return entry if whole else None

    def kept(self, specification: Specification, make: Callable[[], Made]) -> Entry:
        """The entry of this specification; `make` is called if there is none, by one process at a time."""
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
        """Where a scheme keeps what it has finished of a claim."""
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
        """Where the entry's files lie, but for their suffixes: a folder for each kind, for whoever looks."""
        return self.root / str(specification["kind"]) / hashlib.sha256(dumps(dict(specification))).hexdigest()


def cache_folder() -> Path:
    """`OWNMARK_CACHE`, or `ownmark` in the folder where this system keeps what can be made again."""
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
