"""Today's code and an earlier commit's beside it, measured in turns on one machine by processes of their own."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from record import ROOT

BEFORE = "958858ccd0cff43b80efb1c14e88add3018eed70"
BENCHMARKS = Path(__file__).resolve().parent


@contextmanager
def builds(given: Path | None = None) -> Iterator[dict[str, Path]]:
    """The folders of both by name, "before" and "now"; `given`: code in the place of the earlier commit's."""
    with tempfile.TemporaryDirectory() as folder:
        yield {"before": given or archived(Path(folder)), "now": ROOT}


def archived(folder: Path) -> Path:
    """The earlier commit, unpacked into the folder."""
    found = subprocess.run(["git", "archive", BEFORE, "src"], cwd=ROOT, capture_output=True, check=True)  # noqa: S603, S607 - git as it is found
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def child(code: Path, words: list[str]) -> str:
    """What a process prints that uses the code in the folder."""
    environment = os.environ | {"PYTHONPATH": f"{code / 'src'}{os.pathsep}{BENCHMARKS}"}
    ran = subprocess.run([sys.executable, *words], env=environment, stdout=subprocess.PIPE, check=True, text=True)  # noqa: S603 - our own words
    return ran.stdout


def in_turns(script: str, turns: int) -> dict[str, list[dict[str, Any]]]:
    """What `script --measure` prints with either build, in turns that begin with one and the other."""
    found: dict[str, list[dict[str, Any]]] = {"before": [], "now": []}
    with builds() as folders:
        for turn in range(turns):
            for name in sorted(folders, reverse=turn % 2 == 1):
                found[name].append(json.loads(child(folders[name], [script, "--measure"])))
    return found


def compared(script: str, turns: int, seconds: Sequence[str]) -> dict[str, float]:
    """The medians of what `script --measure` prints today, and those of `seconds` by the earlier commit's in the same turn."""
    found = in_turns(script, turns)
    figures = {figure: float(median(one[figure] for one in found["now"])) for figure in found["now"][0]}
    pairs = list(zip(found["now"], found["before"], strict=True))
    return figures | {
        f"{figure}_over_before": float(median(now[figure] / old[figure] for now, old in pairs)) for figure in seconds
    }
