"""A scan of 10,000 suspects that answer from a record, and of 200 files of weights: seconds per suspect, and memory.

Writes `scan-speed.json`. Times are CPU seconds of one thread, so that other work on the machine counts little; but by the clock
where two processes of joblib and two of Ray ask the files in turns, from the first `WARM` suspects to the last. `python
benchmarks/scan_speed.py helpers` measures only these, and writes nothing.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from helped import helped
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.models.network import build
from ownmark.models.weights import save_weights
from ownmark.protocols import Progress, Question
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.open import Access, Reach
from ownmark.training import seeded
from ownmark.workflows.scan import ScanRequest, scan
from ownmark.workflows.scan_ahead import Helpers
from ownmark.workflows.watching import Nobody
from record import record

RECORDED, FILES, SAMPLES, SIZE, CLASSES, EARLY = 10_000, 200, 100, 40, 7, 100
WORKERS, TURNS, WARM = 2, 3, 40  # WARM: suspects before the clock starts, while the processes load what they need
NAMES = tuple("abcdefg")
NETWORK = "ownmark:ResNet18(width=4)"


def main() -> None:
    """Scans twice: those who are asked, then the same from the ledger; then the files."""
    torch.set_num_threads(1)
    claim = claim_of()
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        names = [str(place) for place in files(folder / "recorded", RECORDED)]
        reach = Recorded(claim_file=folder / "one.claim", near=Access(Preprocess(), CLASSES))
        asked = watched(claim, reach, names, folder / "asked.scan")
        again = watched(claim, reach, names, folder / "asked.scan")
        weights = [str(place) for place in networks(folder / "weights")]
        near = Reach(claim_file=folder / "one.claim", near=Access(Preprocess(), CLASSES, model=NETWORK))
        real = watched(claim, near, weights, folder / "weights.scan")
        helped = helpers(claim, near, weights, folder)
    figures = {
        "seconds.recorded": again.seconds,
        "seconds.asked": asked.seconds,
        "last_tenth_over_first_tenth": again.last_over_first(),
        "memory_last_over_100th": again.memory[-1] / again.memory[EARLY - 1],
        "memory_last_over_100th.asked": asked.memory[-1] / asked.memory[EARLY - 1],
        "files.seconds_each": real.seconds / FILES,
        "files.last_tenth_over_first_tenth": real.last_over_first(),
        "files.memory_last_over_100th": real.memory[-1] / real.memory[EARLY - 1],
        **helped,
    }
    notes = {} if "ray_over_joblib" in helped else {"ray_over_joblib": "not measured: ray is not installed"}
    setting = (
        f"{RECORDED} suspects that answer {SAMPLES} keyed triggers of {SIZE}x{SIZE} from a record, asked and then read from the "
        f"ledger; {FILES} files of weights of {NETWORK}; CPU seconds, one thread"
    )
    record("scan-speed", figures, seeds={"networks": list(range(2))}, setting=setting, notes=notes or None)


def claim_of() -> Claim:
    """A claim whose p is exact, so that no innocents are needed to name one of many."""
    null = KeyedLabels("5a" * 32, SAMPLES, CLASSES, sets=1, grinding=0)
    images = np.random.default_rng(1).integers(0, 256, (SAMPLES, 1, SIZE, SIZE, 3), dtype=np.uint8)
    return Claim(images, (Test(Reading.LABEL, Agreement(), null.labels(), 1.0, "", null),), NAMES, "none", "m")


def helpers(claim: Claim, reach: Reach, names: Sequence[str], folder: Path) -> dict[str, float]:
    """Files a second that two processes ask, by joblib and, where it is installed, by Ray, in turns."""
    rates: dict[str, list[float]] = {name: [] for name in ("joblib", "ray") if name == "joblib" or find_spec(name)}
    for turn in range(TURNS):
        for name, found in rates.items():
            clock, keep = Clock(), folder / f"{name}-{turn}.scan"
            asked = Helpers(WORKERS, "local" if name == "ray" else None)
            scan(ScanRequest(claim=claim, suspects=tuple(names), reach=reach, keep=keep, helpers=asked), clock)
            found.append((len(names) - WARM) / (clock.times[len(names) - 1] - clock.times[WARM - 1]))
            sys.stderr.write(f"{name}: {found[-1]:.1f} files a second\n")
    figures = {f"files.{name}_per_second": median(found) for name, found in rates.items()}
    if "ray" in rates:
        figures["ray_over_joblib"] = median(one / other for one, other in zip(rates["ray"], rates["joblib"], strict=True))
    return figures


@dataclass
class Clock(Nobody):
    """Hears how far a scan is: the time after each suspect, those that are asked side by side first."""

    times: list[float] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:  # noqa: ARG002 - the verb's signature
        yield lambda _, __: self.times.append(perf_counter())


@dataclass(frozen=True)
class Oracle:
    """A suspect that answers at random, by its name."""

    name: str
    digest: str = "0" * 64
    reveals: frozenset[Reading] = frozenset({Reading.LABEL})

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:  # noqa: ARG002 - the verb's signature
        return {Reading.LABEL: np.random.default_rng(len(self.name)).integers(0, CLASSES, len(images))}


@dataclass(frozen=True, kw_only=True)
class Recorded(Reach):
    """Opens an oracle whatever the name is."""

    @contextmanager
    def suspect(self, name: str, claim: Claim) -> Iterator[tuple[Oracle, Ledger | None]]:  # noqa: ARG002 - the verb's signature
        yield Oracle(name), None


@dataclass
class Meter(Nobody):
    """Hears how far a scan is: CPU seconds and memory in pages after each suspect."""

    times: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:  # noqa: ARG002 - the verb's signature
        yield self._after

    def _after(self, done: int, total: int) -> None:  # noqa: ARG002 - the verb's signature
        self.times.append(process_time())
        self.memory.append(int(Path("/proc/self/statm").read_text().split()[1]))

    def last_over_first(self) -> float:
        """The cost of the last tenth of the suspects by that of the first."""
        tenth = len(self.times) // 10
        return (self.times[-1] - self.times[-1 - tenth]) / (self.times[tenth] - self.times[0])


def watched(claim: Claim, reach: Reach, names: Sequence[str], keep: Path) -> Meter:
    """One whole scan."""
    meter, started = Meter(), process_time()
    scan(ScanRequest(claim=claim, suspects=tuple(names), reach=reach, keep=keep), meter)
    meter.seconds = process_time() - started
    return meter


def files(folder: Path, count: int) -> Iterator[Path]:
    """Files of different content, named like models."""
    folder.mkdir()
    for number in range(count):
        place = folder / f"{number:05}.onnx"
        place.write_bytes(f"{number}".encode())
        yield place


def networks(folder: Path) -> Iterator[Path]:
    """Files of weights, no two alike."""
    folder.mkdir()
    for number in range(FILES):
        with seeded(torch.Generator().manual_seed(number)):
            save_weights(build(NETWORK, CLASSES), folder / f"{number:03}.safetensors")
        yield folder / f"{number:03}.safetensors"


def only_helpers() -> None:
    """What helpers make of the files, printed."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        near = Reach(claim_file=folder / "one.claim", near=Access(Preprocess(), CLASSES, model=NETWORK))
        print(helpers(claim_of(), near, [str(place) for place in networks(folder / "weights")], folder))


if __name__ == "__main__":
    helped(__doc__, "helpers: only these, which writes nothing")
    if sys.argv[1:] == ["helpers"]:
        only_helpers()
    else:
        main()
