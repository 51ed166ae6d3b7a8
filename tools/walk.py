"""Traces a command through the package: the files in which functions run, and the calls from one file to another.

`python tools/walk.py COMMAND [ARGUMENT ...]` runs `ownmark COMMAND ...` in this process and writes JSON to stderr, last:
`files` in which a function ran; `hops`, the distinct steps from one file to another in call order; `both_ways`,
the pairs of files with steps in both directions; and the steps themselves. Import time is excluded.
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
        self.steps: Counter[tuple[str, str]] = Counter()
        self.files: set[str] = set()
        self._last = ""

    def see(self, frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - what Python hands over
        """Records a call into a different package file than the previous call."""
        file = frame.f_code.co_filename
        if event != "call" or not file.startswith(HOUSE) or frame.f_code.co_name == "<module>" or _importing(frame):
            return
        self.files.add(file)
        if self._last and self._last != file:
            self.steps[self._last, file] += 1
        self._last = file

    def record(self) -> dict[str, Any]:
        """The record, with paths relative to the package."""
        steps = {f"{_short(first)} -> {_short(second)}": count for (first, second), count in sorted(self.steps.items())}
        both = sum((second, first) in self.steps for first, second in self.steps) // 2
        return {"files": len(self.files), "hops": len(self.steps), "both_ways": both, "steps": steps}


def _importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != IMPORTING:
        frame = frame.f_back
    return frame is not None


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
        print(*(f"{name} {found[name]}" for name in ("exit_code", "files", "hops", "both_ways")), sep=", ", file=sys.stderr)
    else:
        json.dump(found, sys.stderr, indent=1)
