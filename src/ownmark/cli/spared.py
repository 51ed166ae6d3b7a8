"""No command writes over a file that it was given to read: a slip must not cost a model, a claim or a key. No torch."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ownmark.cli.answer import Command
from ownmark.errors import UsageError

WRITTEN = ("out", "marked", "report", "page", "cyclonedx", "in_toto", "spdx", "keep", "ledger")
RENEWED = {("Calibrate", "claim")}  # what a command replaces by design, so that --out may name it


def check_spared(command: Command) -> None:
    """Raises UsageError, before any work, if a file to write is one to read, or is to be written twice."""
    given: dict[str, Any] = {one.name: getattr(command, one.name) for one in fields(command)}  # type: ignore[arg-type]
    written = {name: given[name] for name in WRITTEN if isinstance(given.get(name), Path)}
    for name, file in written.items():
        for other, value in given.items():
            if other == name or (type(command).__name__, other) in RENEWED:
                continue
            if any(_same(file, path) for path in _paths(value)):
                said = "is to be written twice" if other in written else f"is the command's own input ({other.replace('_', '-')})"
                raise UsageError(f"cannot write {file}: it {said}, and would be lost; name another file")


def _paths(value: object) -> Iterator[Path]:
    """What may be files among the values of an option: one, several, or behind the stratum of a reference.

    A word counts as a file only where there is one: `bench skin --out skin` writes a folder beside no file.
    """
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, Path):
            yield one
        elif isinstance(one, str):
            yield from (Path(text) for text in {one, one.partition("=")[2]} if text and _is_file(text))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a text too long for a name, or one with a NUL
        return False


def _same(file: Path, other: Path) -> bool:
    """Whether both are one file, by whatever names, there already or not yet."""
    try:
        return file.samefile(other)
    except (OSError, ValueError):
        return file.absolute() == other.absolute()
