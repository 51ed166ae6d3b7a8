"""Models that are trained side by side, each in a process of its own with its share of torch's threads."""

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ownmark.processes import pool
from ownmark.protocols import Progress
from ownmark.workflows.watching import Watcher

OFTEN = 0.5  # seconds between two looks at how far the processes are

Job = Callable[[Watcher], object]  # picklable; what it returns is dropped


@dataclass(frozen=True)
class Scribe:
    """Watches a job in its process: writes how far it is into row `place` of a `file` that the parent reads."""

    file: Path
    place: int

    def note(self, text: str) -> None:
        """The parent says it when it takes the result."""

    def warn(self, text: str) -> None:
        """The parent says it when it takes the result."""

    def step(self, title: str) -> AbstractContextManager[Progress]:  # noqa: ARG002 - the parent has a title for all
        """Progress into the file."""
        return nullcontext(self._write)

    def _write(self, done: int, total: int) -> None:
        _table(self.file)[self.place] = done, total


def workers(jobs: int) -> int:
    """How many processes `jobs` are worth: as many as torch has threads, which `OMP_NUM_THREADS` limits."""
    return min(jobs, torch.get_num_threads())


def run(jobs: Sequence[Job], watcher: Watcher, title: str) -> bool:
    """Runs all jobs; whether all were done, which they are not if a process died, e.g. for want of memory.

    Raises what a job raises; on that, and on Ctrl-C, the other processes are ended.
    """
    count = workers(len(jobs))
    with tempfile.TemporaryDirectory(prefix="ownmark-") as folder, watcher.step(title) as progress:
        file = Path(folder) / "progress"
        np.zeros((len(jobs), 2), dtype=np.int64).tofile(file)
        executor = pool(count, max(torch.get_num_threads() // count, 1))
        try:
            _wait([executor.submit(_work, job, file, place) for place, job in enumerate(jobs)], partial(_tell, file, progress))
        except BrokenProcessPool as error:
            watcher.warn(f"A process died ({error}): training goes on one after the other.")
            return False
        finally:
            executor.shutdown(wait=True, kill_workers=True)
    return True


def _work(job: Job, file: Path, place: int) -> None:
    job(Scribe(file, place))


def _wait(futures: list[Future[None]], tell: Callable[[], None]) -> None:
    running: set[Future[None]] = set(futures)
    while running:
        done, running = wait(running, timeout=OFTEN)
        for future in done:
            future.result()
        tell()


def _tell(file: Path, progress: Progress) -> None:
    """How far all are together, once each has said how long its way is."""
    table = np.array(_table(file))
    if table[:, 1].all():
        progress(int(table[:, 0].sum()), int(table[:, 1].sum()))


def _table(file: Path) -> npt.NDArray[np.int64]:
    """(jobs, 2): steps done and steps in all, in a file that all processes map into their memory."""
    return np.memmap(file, dtype=np.int64, mode="r+").reshape(-1, 2)
