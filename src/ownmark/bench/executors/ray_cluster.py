"""A pool on a Ray cluster of machines that share the store's folder."""

from types import TracebackType
from typing import Self

import ray

from ownmark.bench.artifacts import Making
from ownmark.bench.executors.worker import Done, Workplace
from ownmark.processes import THREADS

LOCAL = "local"


class Cluster:
    """A pool of Ray tasks with one core each (and one GPU, if used) at an address; `local` starts Ray on this machine."""

    def __init__(self, place: Workplace, address: str = LOCAL, workers: int | None = None) -> None:
        threads = {"env_vars": dict.fromkeys(THREADS, str(place.threads))}
        here = {"num_cpus": workers} if address == LOCAL else {}
        ray.init(address, include_dashboard=False, log_to_driver=False, runtime_env=threads, **here)  # type: ignore[arg-type]
        gpus = int(place.device.startswith("cuda"))
        known = ray.cluster_resources()  # type: ignore[no-untyped-call]
        self.workers = workers or max(int(known["GPU" if gpus else "CPU"]), 1)
        self._place = place
        self._work = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(Workplace.work)
        self._running: dict[ray.ObjectRef[Done], Making] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        ray.shutdown()

    def start(self, making: Making) -> None:
        self._running[self._work.remote(self._place, making)] = making

    def wait(self, seconds: float | None = None) -> list[Done]:
        """Finished work; the work of a dead machine counts as failed."""
        ended, _ = ray.wait(list(self._running), timeout=seconds)
        return [_answer(reference, self._running.pop(reference)) for reference in ended]


def _answer(reference: "ray.ObjectRef[Done]", making: Making) -> Done:
    try:
        done: Done = ray.get(reference)
    except ray.exceptions.RayError as error:
        return Done(making, 0.0, f"its process died ({type(error).__name__})")
    return done
