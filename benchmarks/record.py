"""Records an experiment's results with everything needed to repeat it."""

import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

from ownmark.files import write_whole
from tables import fill

ROOT = Path(__file__).parent.parent
PACKAGES = ("ownmark", "torch", "torchvision", "numpy", "scipy", "onnxruntime")
STARTED = perf_counter()


def record(
    name: str, figures: Mapping[str, float], *, seeds: Mapping[str, object], setting: str, notes: Mapping[str, str] | None = None
) -> Path:
    """Writes `benchmarks/results/NAME.json`; `figures` is one flat object of name -> number, `notes` texts beside them."""
    kept = {
        "figures": {key: round(float(value), 4) for key, value in sorted(figures.items())},
        "setting": setting,
        **({} if notes is None else {"notes": dict(notes)}),
        "seconds": round(perf_counter() - STARTED, 3),
        "command": f"make bench-{name}",
        "seeds": dict(seeds),
        "packages": {package: version(package) for package in PACKAGES},
        "machine": {
            "system": platform.system(),
            "processor": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        },
    }
    file = ROOT / "benchmarks" / "results" / f"{name}.json"
    file.parent.mkdir(exist_ok=True)
    write_whole(file, (json.dumps(kept, indent=2) + "\n").encode())
    sys.stdout.write(file.read_text())
    fill()
    return file
