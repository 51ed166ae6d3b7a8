"""An executor of processes on this machine, each with its own models in memory and one thread by default."""

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from joblib.externals.loky import wait

from ownmark.processes import cores, pool

Job = TypeVar("Job")
Done = TypeVar("Done")


class Processes(Generic[Job, Done]):
    """joblib processes, by default one per core, that do `work`, which returns its errors as values.

    `lost`: what a job comes to, and why, whose process died.
    """

    def __init__(
        self, work: Callable[[Job], Done], lost: Callable[[Job, str], Done], workers: int | None = None, threads: int = 1
    ) -> None:
        self.workers = workers or cores()
        self._work, self._lost, self._threads = work, lost, threads
        self._running: dict[Future[Done], Job] = {}
        self._pool = self._fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Work that nobody waits for ends at once."""
        left = kind is not None or bool(self._running)
        self._pool.shutdown(wait=not left, kill_workers=left)

    def start(self, job: Job) -> None:
        self._running[self._pool.submit(self._work, job)] = job

    def wait(self, seconds: float | None = None) -> list[Done]:
        """Finished work; if a process died, all running work counts as failed, since its share is unknown."""
        ended = wait(self._running, seconds, return_when=FIRST_COMPLETED).done
        if any(future.exception() is not None for future in ended):
            ended = wait(self._running).done
            self._pool.shutdown(wait=False, kill_workers=True)
            self._pool = self._fresh()
        return [self._answer(future, self._running.pop(future)) for future in ended]

    def _fresh(self) -> Any:  # noqa: ANN401 - joblib is not typed
        return pool(self.workers, self._threads)

    def _answer(self, future: Future[Done], job: Job) -> Done:
        error = future.exception()
        return future.result() if error is None else self._lost(job, f"its process died ({error})")
