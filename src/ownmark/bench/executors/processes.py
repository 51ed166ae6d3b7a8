"""A pool of processes on this machine, each with its own models in memory and one thread by default."""

from concurrent.futures import FIRST_COMPLETED, Future
from types import TracebackType
from typing import Any, Self

from joblib.externals.loky import wait

from ownmark.bench.artifacts import Making
from ownmark.bench.executors.worker import Done, Workplace
from ownmark.processes import cores, pool


class Processes:
    """A pool of joblib processes, by default one per core."""

    def __init__(self, place: Workplace, workers: int | None = None) -> None:
        self.workers = workers or cores()
        self._place = place
        self._running: dict[Future[Done], Making] = {}
        self._pool = self._fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        """Work that nobody waits for ends at once."""
        left = kind is not None or bool(self._running)
        self._pool.shutdown(wait=not left, kill_workers=left)

    def start(self, making: Making) -> None:
        self._running[self._pool.submit(self._place.work, making)] = making

    def wait(self, seconds: float | None = None) -> list[Done]:
        """Finished work; if a process died, all running work counts as failed, since its share is unknown."""
        ended = wait(self._running, seconds, return_when=FIRST_COMPLETED).done
        if any(future.exception() is not None for future in ended):
            ended = wait(self._running).done
            self._pool.shutdown(wait=False, kill_workers=True)
            self._pool = self._fresh()
        return [_answer(future, self._running.pop(future)) for future in ended]

    def _fresh(self) -> Any:  # noqa: ANN401 - joblib is not typed
        return pool(self.workers, self._place.threads)


def _answer(future: Future[Done], making: Making) -> Done:
    error = future.exception()
    return future.result() if error is None else Done(making, 0.0, f"its process died ({error})")
