"""Stateful detection: flags queries too similar to earlier ones (Chen, Carlini, Wagner 2019, arXiv:1907.05587).

The score is minus the mean distance to the `count` nearest previous queries. Differs from the paper: distances are between
pixels, not a trained encoder's outputs, which suffices for twins that are neither shifted nor rotated; queries are forgotten
after the next `memory` queries, not after an alarm.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import DataError, UsageError
from ownmark.protocols import Alarm, Progress, silent
from ownmark.scoring.readings import Floats

BLOCK = 128  # queries per comparison
Rows = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Neighbours:
    """Flags near-duplicates within a stream; the first `count` queries have too few predecessors and are never flagged.

    `count`: k in the paper, which uses 50 for attacks that walk in small steps; a single twin is noticed with 1. Distances are
    the root mean square over all values of an image, in [0, 1].
    """

    count: int = 50
    memory: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= self.count <= self.memory:
            raise UsageError(f"Neighbours: expected 1 <= count <= memory, got {self}")

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress = silent) -> Alarm:  # noqa: ARG002 - the verb's signature
        """An alarm for any model, calibrated on the distances between normal images, as many as it remembers."""
        order = torch.randperm(len(normal), generator=rng)[: self.memory + 1].numpy()
        if len(order) <= self.count:
            raise DataError(f"expected more than {self.count} normal images, got {len(order)}")
        rows = _rows(normal.pixels[order])
        others = [self._closeness(rows[part], rows, part[:, None] != np.arange(len(rows))) for part in _parts(len(rows))]
        progress(len(rows), len(rows))
        return Alarm(self._score, np.concatenate(others))

    def _score(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """(n,) minus the mean distance to the nearest of the `memory` previous queries; minus infinity if there are too few."""
        rows, found = _rows(pixels), []
        for part in _parts(len(rows)):
            before = np.arange(max(part[0] - self.memory, 0), part[-1] + 1)
            age = part[:, None] - before
            found.append(self._closeness(rows[part], rows[before], (age >= 1) & (age <= self.memory)))
        return np.concatenate(found)

    def _closeness(self, asked: Rows, known: Rows, counts: npt.NDArray[np.bool_]) -> Floats:
        """(n,) the score of each query row among the known rows that `counts` (n, m) selects."""
        apart = np.where(counts, np.concatenate([_apart(asked, known[part]) for part in _parts(len(known))], axis=1), np.inf)
        missing = np.full((len(asked), max(self.count - len(known), 0)), np.inf)
        nearest = np.sort(np.concatenate([apart, missing], axis=1), axis=1)[:, : self.count]
        return np.asarray(-nearest.mean(axis=1))


def _rows(pixels: npt.NDArray[np.uint8]) -> Rows:
    return pixels.reshape(len(pixels), -1)


def _parts(count: int) -> list[npt.NDArray[np.int64]]:
    return [np.arange(at, min(at + BLOCK, count)) for at in range(0, count, BLOCK)]


def _apart(first: Rows, second: Rows) -> Floats:
    """(n, m) root mean square distances of rows, in [0, 1]: |a - b|^2 = |a|^2 + |b|^2 - 2ab, exact until the root."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.sqrt(squares / first.shape[1]) / 255)
