"""Today's code and an earlier commit's beside it, measured in turns on one machine by processes of their own."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
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


def over_before(found: dict[str, list[dict[str, Any]]], figure: str) -> float:
    """The median over the turns of one figure today by that of the earlier commit."""
    return float(median(now[figure] / old[figure] for now, old in zip(found["now"], found["before"], strict=True)))
