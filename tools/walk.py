"""Traces a command through the package: the files in which functions run, and the calls from one file to another.

`python tools/walk.py COMMAND [ARGUMENT ...]` runs `ownmark COMMAND ...` in this process and writes JSON to stderr, last:
`files` in which a function ran; `hops`, the distinct steps from one file to another in call order; `calls`, those of them on
which the first file calls the second, while on all others it has returned and somebody else goes on; `both_ways`, the pairs of
files with steps in both directions; and the steps themselves, each with the functions that take it. Import time is excluded.
`--brief` before COMMAND prints the figures alone, in one line.
"""

import json
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import ownmark
from ownmark.cli import main

HOUSE = str(Path(ownmark.__file__).parent) + "/"
IMPORTING = "<frozen importlib._bootstrap>"


class Walk:
    """Records steps between files; pass `see` to `sys.setprofile`."""

    def __init__(self) -> None:
        self.steps: dict[tuple[str, str], Counter[str]] = {}
        self.files: set[str] = set()
        self.called: set[tuple[str, str]] = set()
        self._last, self._function = "", ""

    def see(self, frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - what Python hands over
        """Records a call into a different package file than the previous call."""
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(HOUSE) or frame.f_code.co_name == "<module>" or _importing(frame):
            return
        self.files.add(file)
        name = frame.f_code.co_qualname
        if self._last and self._last != file:
            step = self._last, file
            self.steps.setdefault(step, Counter())[f"{self._function} -> {name}"] += 1
            if _caller(frame) == self._last:
                self.called.add(step)
        self._last, self._function = file, name

    def record(self) -> dict[str, Any]:
        """The record, with paths relative to the package."""
        steps = {f"{_short(first)} -> {_short(second)}": dict(taken) for (first, second), taken in sorted(self.steps.items())}
        both = sum((second, first) in self.steps for first, second in self.steps) // 2
        figures = {"files": len(self.files), "hops": len(self.steps), "calls": len(self.called), "both_ways": both}
        return {**figures, "passed": sorted(map(_short, self.files)), "steps": steps}


def _importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != IMPORTING:
        frame = frame.f_back
    return frame is not None


def _caller(frame: FrameType) -> str:
    """The package file that called, past whatever libraries stand between; "" for none."""
    above = frame.f_back
    while above is not None and not above.f_code.co_filename.startswith(HOUSE):
        above = above.f_back
    return "" if above is None else above.f_code.co_filename


def _short(file: str) -> str:
    return file.removeprefix(HOUSE)


def walked(words: list[str]) -> dict[str, Any]:
    """Runs one command and returns the record of its walk."""
    walk = Walk()
    sys.setprofile(walk.see)
    try:
        code = main(words)
    finally:
        sys.setprofile(None)
    return {"command": words[0], "exit_code": code, **walk.record()}


if __name__ == "__main__":
    brief = sys.argv[1:2] == ["--brief"]
    found = walked(sys.argv[1 + brief :])
    if brief:
        print(
            *(f"{name} {found[name]}" for name in ("exit_code", "files", "hops", "calls", "both_ways")), sep=", ", file=sys.stderr
        )
    else:
        json.dump(found, sys.stderr, indent=1)
