"""No command writes over a file that it was given to read: a slip must not cost a model, a claim or a key. No torch."""

import glob
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from ownmark.cli.answer import Command
from ownmark.errors import UsageError

WRITTEN = ("out", "marked", "page", "cyclonedx", "in_toto", "spdx", "keep", "ledger")
INDEX = ".index.json"  # of weights in several files
RENEWED = {("Calibrate", "claim")}  # what a command replaces by design, so that --out may name it


def check_overwrites_nothing(command: Command) -> None:
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

    A word counts as a file only where there is one: `bench skin --out skin` writes a folder beside no file. What a file or a
    network's name reads beside itself counts, too.
    """
    for one in value if isinstance(value, list | tuple) else (value,):
        if isinstance(one, Path):
            yield from (one, *_beside(one))
        elif isinstance(one, str):
            for text in {one, one.partition("=")[2]} - {""}:
                path = Path(text)
                yield from filter(_is_file, (path, *_beside(path), *_of_network(text)))


def _beside(path: Path) -> Iterator[Path]:
    """The files in which a model of that name may keep its weights: OpenVINO's, ncnn's, ONNX's, or shards by their index."""
    name = path.name
    if path.suffix in {".xml", ".param"}:
        yield path.with_suffix(".bin")
    elif path.suffix == ".onnx":
        yield from (path.with_name(f"{name}.data"), path.with_name(f"{name}_data"), path.with_suffix(".data"))
    elif name.endswith(INDEX):
        yield from path.parent.glob(f"{glob.escape(name.partition('.')[0])}-*")


def _of_network(name: str) -> Iterator[Path]:
    """The source of a module of the current folder, or the files of a folder of transformers."""
    place, colon, rest = name.partition(":")
    if place == "hf" and rest and _can(Path(rest).is_dir):
        yield from Path(rest).iterdir()
    elif colon and all(word.isidentifier() for word in place.split(".")):
        source = Path(*place.split("."))
        yield from (source.with_suffix(".py"), source / "__init__.py")


def _is_file(path: Path) -> bool:
    return _can(path.is_file)


def _can(asked: Callable[[], bool]) -> bool:
    try:
        return asked()
    except (OSError, ValueError):  # a text too long for a name, or one with a NUL
        return False


def _same(file: Path, other: Path) -> bool:
    """Whether both are one file, by whatever names, there already or not yet."""
    try:
        return file.samefile(other)
    except (OSError, ValueError):
        return file.absolute() == other.absolute()
