"""An executor on a Ray cluster of machines that see the same files."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import ray

from ownmark.processes import THREADS

LOCAL = "local"
NO_LESS = {"worker_niceness": 0}  # Ray would start its processes behind all others of this machine, the scan's own among them
Job = TypeVar("Job")
Done = TypeVar("Done")


class Cluster(Generic[Job, Done]):
    """Ray tasks with one core each (and `gpus`) at an address, that do `work`; `local` starts Ray on this machine.

    `lost` as in `Processes`.
    """

    def __init__(
        self,
        work: Callable[[Job], Done],
        lost: Callable[[Job, str], Done],
        address: str = LOCAL,
        workers: int | None = None,
        *,
        threads: int = 1,
        gpus: int = 0,
    ) -> None:
        limits = {"env_vars": dict.fromkeys(THREADS, str(threads))}
        here = {"num_cpus": workers, "_system_config": NO_LESS} if address == LOCAL else {}
        ray.init(address, include_dashboard=False, log_to_driver=False, runtime_env=limits, **here)  # type: ignore[arg-type]
        known = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self.workers = workers or max(int(known["GPU" if gpus else "CPU"]), 1)
        self._lost = lost
        self._work = ray.put(work)  # once, not with every job
        self._do = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_done)
        self._running: dict[ray.ObjectRef[Done], Job] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        ray.shutdown()

    def start(self, job: Job) -> None:
        self._running[self._do.remote(self._work, job)] = job

    def wait(self, seconds: float | None = None) -> list[Done]:
        """Finished work; the work of a dead machine counts as failed."""
        ended, _ = ray.wait(list(self._running), timeout=seconds)
        return [self._answer(reference, self._running.pop(reference)) for reference in ended]

    def _answer(self, reference: "ray.ObjectRef[Done]", job: Job) -> Done:
        try:
            done: Done = ray.get(reference)
        except ray.exceptions.RayError as error:
            return self._lost(job, f"its process died ({type(error).__name__})")
        return done


def _done(work: Callable[[Any], Any], job: object) -> Any:  # noqa: ANN401 - whatever the work gives
    return work(job)
