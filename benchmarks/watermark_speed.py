"""Cost of embedding 100 triggers relative to one epoch of the model's own training on CIFAR-10, in one run.

Writes `watermark-speed.json`.
"""

from time import perf_counter

import torch

import watermark_zoo as zoo
from helped import helped
from ownmark.protocols import Owner, silent
from ownmark.training import Training, train
from record import record

NAME = "cifar10"


def main() -> None:
    """Embeds, trains one epoch, records the ratio."""
    torch.set_num_threads(1)
    images, model = zoo.images(NAME, training=True), zoo.target(NAME, 0)
    started = perf_counter()
    zoo.scheme(NAME, "partitioned").protect(model, Owner(images), torch.Generator().manual_seed(0), silent)
    embedded = perf_counter() - started
    own = zoo.SETTINGS[NAME].training
    started = perf_counter()
    train(zoo.blank(NAME), images, Training(epochs=1, batch=own.batch), torch.Generator().manual_seed(0))
    epoch = perf_counter() - started
    setting = f"{len(images)} images of CIFAR-10, {zoo.SETTINGS[NAME].network}, one thread"
    figures = {"embedding_over_epoch": embedded / epoch, "epoch_seconds": epoch}
    record("watermark-speed", figures, seeds={"protect": 0, "training": 0}, setting=setting)


if __name__ == "__main__":
    helped(__doc__)
    main()
