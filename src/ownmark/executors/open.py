"""Chooses where much work of one kind runs: processes on this machine, or a Ray cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, TypeVar

from ownmark.errors import UsageError
from ownmark.executors.processes import Processes

Job = TypeVar("Job")
Done = TypeVar("Done")
Job_contra = TypeVar("Job_contra", contravariant=True)
Done_co = TypeVar("Done_co", covariant=True)


class Executor(Protocol[Job_contra, Done_co]):
    """Does jobs of one kind."""

    @property
    def workers(self) -> int:
        """Number of jobs done at once."""

    def start(self, job: Job_contra) -> None:
        """Starts it."""

    def wait(self, seconds: float | None = None) -> Sequence[Done_co]:
        """Waits for and returns finished work, at least one unless `seconds` have passed."""


@contextmanager
def executor(
    work: Callable[[Job], Done],
    lost: Callable[[Job, str], Done],
    *,
    workers: int | None = None,
    ray: str | None = None,
    threads: int = 1,
    gpus: int = 0,
) -> Iterator[Executor[Job, Done]]:
    """`ray`: the address of a cluster, or `local` to start one here; without it, processes. `lost`: a job whose process died."""
    if ray is None:
        with Processes(work, lost, workers, threads) as processes:
            yield processes
        return
    if find_spec("ray") is None:
        raise UsageError("a cluster needs Ray: pip install 'ownmark[ray]'")
    from ownmark.executors.ray_cluster import Cluster

    with Cluster(work, lost, ray, workers, threads=threads, gpus=gpus) as cluster:
        yield cluster


def anywhere(name: str) -> str:
    """A file's name as every machine of a cluster finds it, whose processes start in other folders; other names as they are."""
    return str(Path(name).absolute()) if Path(name).exists() else name


def done(jobs: Iterable[Job], at: Executor[Job, Done]) -> Iterator[Done]:
    """What all jobs come to, as they end; no more are started than keep every worker busy, one of them waiting."""
    running = 0
    for job in jobs:
        at.start(job)
        running += 1
        if running > at.workers:
            ended = at.wait()
            running -= len(ended)
            yield from ended
    while running:
        ended = at.wait()
        running -= len(ended)
        yield from ended
