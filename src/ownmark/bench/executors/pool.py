"""Chooses the pool of a bench: processes on this machine, or a Ray cluster."""

from contextlib import AbstractContextManager
from dataclasses import replace

from ownmark.bench.artifacts import Making
from ownmark.bench.executors.worker import Done, Workplace
from ownmark.bench.running import Pool
from ownmark.executors.open import executor


def pool(place: Workplace, *, workers: int | None = None, ray: str | None = None) -> AbstractContextManager[Pool]:
    """`ray`: the address of a cluster, or `local` to start one here; without it, processes."""
    place = replace(place, root=place.root.absolute())
    gpus = int(place.device.startswith("cuda"))
    return executor(place.work, lost, workers=workers, ray=ray, threads=place.threads, gpus=gpus)


def lost(making: Making, why: str) -> Done:
    """What was in work when its process died."""
    return Done(making, 0.0, why)
