"""Work of one bench process: makes one artifact at a time, and returns errors as values."""

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from ownmark.bench.artifacts import Calibrated, Claimed, Copied, Fresh, Making, Measured, Pictures
from ownmark.bench.cache import Zoo
from ownmark.bench.stealth import Noticed
from ownmark.bench.store import Store
from ownmark.bench.trial import Trial


@dataclass(frozen=True)
class Done:
    """The finished artifact, or the reason for its failure."""

    making: Making
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Workplace:
    """The store's folder, the device, and the number of threads per worker."""

    root: Path
    device: str = "cpu"
    threads: int = 1

    @property
    def zoo(self) -> Zoo:
        return _zoo(self)

    def work(self, making: Making) -> Done:
        """Makes it in this process."""
        torch.set_num_threads(self.threads)
        started, error = time.perf_counter(), None
        try:
            self.zoo.entry(making)
        except Exception as raised:  # noqa: BLE001 - a scheme, an attack or a network may raise anything, and the bench goes on
            error = f"{type(raised).__name__}: {raised}"
        return Done(making, time.perf_counter() - started, error)


@cache
def _zoo(place: Workplace) -> Zoo:
    return Zoo(Store(place.root), place.device)


class Here:
    """A pool that works in this process, one artifact at a time."""

    workers = 1

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._next: list[Making] = []

    def start(self, making: Making) -> None:
        self._next.append(making)

    def wait(self, seconds: float | None = None) -> list[Done]:  # noqa: ARG002 - work in this process is not interrupted
        return [self._place.work(self._next.pop(0))]


def kind_of(making: Making) -> str:
    """The kind of artifact; artifacts of one kind take similar time."""
    if isinstance(making, Copied | Claimed):
        return type(making.attack if isinstance(making, Copied) else making.scheme).__name__
    return KINDS[type(making)]


def title(making: Making) -> str:  # noqa: PLR0911 - one line a kind
    """A title for people."""
    match making:
        case Trial():
            return f"{making.scheme} {making.repeat} against {making.suspect}"
        case Pictures():
            return f"images of {making.place}"
        case Fresh():
            return f"model {making.seed}"
        case Copied():
            return f"{type(making.attack).__name__} {making.seed} of {title(making.stolen)}"
        case Claimed():
            return f"{type(making.scheme).__name__} {making.seed} of {title(making.target)}"
        case Measured():
            return f"quality of {title(making.model)}"
        case Noticed() | Calibrated():
            return f"{KINDS[type(making)]} of {title(making.claimed)}"
    return type(making).__name__


KINDS: dict[type[Making], str] = {
    Calibrated: "calibration",
    Fresh: "model",
    Measured: "quality",
    Noticed: "stealth",
    Pictures: "images",
    Trial: "trial",
}
