"""Chooses the pool of a bench: processes on this machine, or a Ray cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from ownmark.bench.executors.processes import Processes
from ownmark.bench.executors.worker import Workplace
from ownmark.bench.running import Pool
from ownmark.errors import UsageError


@contextmanager
def pool(place: Workplace, *, workers: int | None = None, ray: str | None = None) -> Iterator[Pool]:
    """`ray`: the address of a cluster, or `local` to start one here; without it, processes."""
    if ray is None:
        with Processes(place, workers) as processes:
            yield processes
        return
    if find_spec("ray") is None:
        raise UsageError("a cluster needs Ray: pip install 'ownmark[ray]'")
    from ownmark.bench.executors.ray_cluster import Cluster

    with Cluster(place, ray, workers) as cluster:
        yield cluster
