"""Cost of embedding 100 triggers relative to one epoch of the model's own training on CIFAR-10, in one run, in processor time.

`fast`: with 64 instead of 96 of the owner's images in each step, in 64 batches, about which the original model is asked once.
`deep`: in more layers, whose weights go all the way to what was learnt. What each mark costs in accuracy, and how much of it
survives, is measured on the models of `mark_zoo.py`, three a set.
Writes `watermark-speed.json`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

import watermark_zoo as zoo
from helped import helped
from mark_zoo import CIFAR10, MNIST, Marked, Place
from ownmark.protocols import Owner, Scheme, silent
from ownmark.schemes.partitioned import Partitioned
from ownmark.training import Training, train
from record import record
from timing import seconds
from zoo import measured

NAME = "cifar10"
BUILDS: Mapping[str, Mapping[str, Any]] = {
    "now": {},
    "fast": {"clean": 64, "batches": 64},
    "deep": {"layers": 0.94, "blend": 1.0},
}
ROWS = ("unmarked", "marked", "finetune_0.005", "finetune_0.01", "finetune_0.02", "prune_filters_4", "retrain_all", "wrk")
SEEDS = range(3)


@dataclass(frozen=True)
class Built(Marked):
    """One of the owner's models, marked by one of the `BUILDS`."""

    build: str = "now"

    @property
    def scheme(self) -> Scheme:
        return Partitioned(view=self.place.moved(), least=0.0, **BUILDS[self.build])


def main() -> None:
    """Embeds each way, trains one epoch, records the ratios."""
    torch.set_num_threads(1)
    figures = kept(MNIST) | kept(CIFAR10) | cost()
    setting = (
        f"{zoo.SETTINGS[NAME].network} on all images of CIFAR-10, one thread, processor time; survival and accuracy in "
        f"small, means over {len(SEEDS)} models: {MNIST.setting}; {CIFAR10.setting}"
    )
    record("watermark-speed", figures, seeds={"protect": 0, "training": 0, "targets": list(SEEDS)}, setting=setting)


def cost() -> dict[str, float]:
    """Seconds of each embedding, divided by those of an epoch."""
    images, model = zoo.images(NAME, training=True), zoo.target(NAME, 0)
    own = zoo.SETTINGS[NAME].training
    view = Training(flips=own.flips, shift=own.shift)

    def embed(settings: Mapping[str, Any]) -> None:
        Partitioned(view=view, **settings).protect(model, Owner(images), torch.Generator().manual_seed(0), silent)

    took = {build: seconds(partial(embed, settings)) for build, settings in BUILDS.items()}
    once = Training(epochs=1, batch=own.batch)
    epoch = seconds(lambda: train(zoo.blank(NAME), images, once, torch.Generator().manual_seed(0)))
    return {
        "embedding_over_epoch": took["now"] / epoch,
        "embedding_over_epoch_fast": took["fast"] / epoch,
        "embedding_over_epoch_deep": took["deep"] / epoch,
        "fast_over_now": took["fast"] / took["now"],
        "epoch_seconds": epoch,
    }


def kept(place: Place) -> dict[str, float]:
    """Accuracy and survival of each mark, before and after thefts: means over the models."""
    found: dict[str, float] = {}
    for build in BUILDS:
        for row in ROWS:
            cells = []
            for seed in SEEDS:
                one = Built(place, "partitioned", seed, build)
                cells.append(measured(one.stored(row), partial(one.measure, row)))
                print(place.name, build, row, seed, cells[-1], flush=True)
            start = f"{place.name}.{build}.{row}"
            found[f"{start}.accuracy"] = float(np.mean([cell["accuracy"] for cell in cells]))
            found[f"{start}.survival"] = float(np.mean([cell["score"] for cell in cells]))
    return found


if __name__ == "__main__":
    helped(__doc__)
    main()
