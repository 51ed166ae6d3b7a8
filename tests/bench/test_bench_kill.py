"""Killed at any moment, a bench goes on: the same tables in the end, nothing made twice, no broken file."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import benches
import pytest
from benches import outcomes, records

from ownmark.bench.store import Store
from ownmark.bench.tables import tables

WORKER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import benches

folder, trials = Path(sys.argv[1]), sys.argv[3]
benches.outcomes(getattr(benches, trials)(folder), folder / "store", lambda state: print(state.left, flush=True))
"""


def told(folder: Path, trials: str) -> list[str]:
    return [table.csv() for table in tables(outcomes(getattr(benches, trials)(folder), folder / "store"))]


def start(folder: Path, trials: str) -> subprocess.Popen[bytes]:
    call = [sys.executable, "-c", WORKER, str(folder), str(Path(__file__).parents[1]), trials]
    return subprocess.Popen(call, stdout=subprocess.PIPE)


def killed(folder: Path, trials: str, draw: random.Random) -> None:
    """Start the bench and kill it a moment after one of its next steps."""
    worker = start(folder, trials)
    assert worker.stdout is not None
    for _ in range(draw.randint(2, 5)):
        worker.stdout.readline()
    time.sleep(draw.random() / 4)
    worker.send_signal(signal.SIGKILL)
    worker.communicate()


@pytest.mark.parametrize(("kills", "trials"), [(1, "quick"), pytest.param(10, "grid", marks=pytest.mark.slow)])
def test_a_bench_that_is_killed_ends_as_one_that_was_not(tmp_path: Path, kills: int, trials: str) -> None:
    draw, kept = random.Random(kills), dict[str, bytes]()  # noqa: S311 - no secret
    for _ in range(kills):
        killed(tmp_path, trials, draw)
        after = records(tmp_path / "store")
        assert {name: after.get(name) for name in kept} == kept, "what was there has been made again"
        assert all(Store(tmp_path / "store").get(_specification(data)) is not None for data in after.values())
        kept = after
    assert kept, "the kills came before anything was made"
    resumed = told(tmp_path, trials)
    assert {name: records(tmp_path / "store")[name] for name in kept} == kept
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert resumed == told(undisturbed, trials)


def _specification(record: bytes) -> dict[str, object]:
    found: dict[str, object] = json.loads(record)["specification"]
    return found
