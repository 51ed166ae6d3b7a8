"""Time of the demo compared with the commit before its network was made smaller, alternating on one machine.

Writes `demo-speed.json`. `python benchmarks/demo_speed.py FOLDER` compares with the code in FOLDER/src instead.
"""

import io
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from helped import helped
from record import ROOT, record

BEFORE = "10e83eeae998f3324976fb280a937f36a4d93117"
PAIRS = 3
RUN = "import sys; from ownmark.cli import main; sys.exit(main())"
MATCH = "MATCH (supporting)"


@dataclass(frozen=True)
class Ran:
    """One demo: wall and CPU seconds, and its JSON output."""

    wall: float
    cpu: float
    told: dict[str, Any]

    def outcomes(self) -> dict[str, str]:
        """The verdict on each suspect, by file name."""
        return {Path(one["suspect"]).name: one["outcome"] for one in self.told["suspects"]}


def main() -> None:
    """Runs both in turns, checks the verdicts, records the ratios."""
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        before = Path(sys.argv[1]).resolve() if sys.argv[1:] else archived(folder / "before")
        pairs = [
            (demo(before, folder / f"before-{seed}", seed), demo(ROOT, folder / f"now-{seed}", seed)) for seed in range(PAIRS)
        ]
    for old, new in pairs:
        sys.stderr.write(f"before {old.wall:.1f} s, {old.cpu:.1f} s of CPU; now {new.wall:.1f} s, {new.cpu:.1f} s of CPU\n")
    figures = {
        "demo_over_before": median(new.wall / old.wall for old, new in pairs),
        "demo_over_before_cpu": median(new.cpu / old.cpu for old, new in pairs),
        "seconds_before": median(old.wall for old, _ in pairs),
        "seconds": median(new.wall for _, new in pairs),
        "copies_matched_before": share(old for old, _ in pairs),
        "copies_matched": share(new for _, new in pairs),
        "strangers_matched_before": share((old for old, _ in pairs), copies=False),
        "strangers_matched": share((new for _, new in pairs), copies=False),
        "innocents": min(new.told["innocents"] for _, new in pairs),
    }
    load = max(os.getloadavg())
    setting = f"ownmark demo, {PAIRS} times in turns with {BEFORE[:7]}, each a process with its workers; load up to {load:.1f}"
    record("demo-speed", figures, seeds={"demo": list(range(PAIRS))}, setting=setting)


def archived(folder: Path) -> Path:
    """The earlier commit, unpacked."""
    found = subprocess.run(["git", "archive", BEFORE, "src"], cwd=ROOT, capture_output=True, check=True)  # noqa: S603, S607 - git as it is found
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def demo(code: Path, out: Path, seed: int) -> Ran:
    """Runs one demo with the code in the folder."""
    words = [sys.executable, "-c", RUN, "demo", "--out", str(out), "--seed", str(seed), "--json"]
    environment = os.environ | {"PYTHONPATH": str(code / "src")}
    used, started = processors(), perf_counter()
    ran = subprocess.run(words, cwd=out.parent, env=environment, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own words
    return Ran(perf_counter() - started, processors() - used, json.loads(ran.stdout))


def processors() -> float:
    """CPU seconds of finished child processes and their descendants."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def share(runs: Iterable[Ran], *, copies: bool = True) -> float:
    """The number of matching copies or independent models; the distilled copy counts as neither."""
    outcomes = [
        outcome == MATCH
        for ran in runs
        for name, outcome in ran.outcomes().items()
        if name.startswith("independent") != copies and "distilled" not in name
    ]
    return sum(outcomes) / len(outcomes)


if __name__ == "__main__":
    helped(__doc__, "FOLDER to compare with")
    main()
