"""Detectors of blood cells (BCCD): one target, its copies, and detectors of other seeds on the same images.

`reference` detectors are the owner's, for contrast; `trial` ones are only tested. `python benchmarks/detect_zoo.py` trains those
that are missing, of which each takes a few minutes on one core.
"""

import os
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from helped import helped
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.quantize import Quantize
from ownmark.attacks.retrain import Retrain
from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images, load
from ownmark.models.layers import Layers
from ownmark.models.prepared import prepared
from ownmark.models.small_retina import small_retina
from ownmark.protocols import Attack
from ownmark.tasks import Detection
from ownmark.training import Training, seeded, train
from zoo import kept

SIZE = 160
TASK = Detection(least=0.3)
TRAINING = Training(epochs=28, batch=8, rate=0.02, upside_down=True)
SEEDS = {"target": [0], "reference": [200, 201], "trial": range(100, 108)}
ATTACKS: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=5, rate=0.01),
    "finetune_last": Finetune(Layers.LAST, epochs=5, rate=0.01),
    "retrain_last": Retrain(Layers.LAST, epochs=40, rate=0.05),  # five epochs are 25 steps here, and leave it blind
    "prune_0.3": Prune(0.3),
    "prune_0.5": Prune(0.5, epochs=2),
    "prune_filters_0.25": PruneFilters(0.25, epochs=5),
    "quantize_8": Quantize(8),
    "distill": Distill(epochs=28, rate=0.02, batch=8),  # as long as the model itself was trained
}
SURROGATES: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=3, rate=0.02),
    "retrain_last": Retrain(Layers.LAST, epochs=20, rate=0.1),
    "prune_0.6": Prune(0.6, epochs=1),
    "prune_filters_0.3": PruneFilters(0.3, epochs=3),
    "prune_filters_0.2": PruneFilters(0.2, epochs=8),
}


@cache
def images(*, training: bool) -> Images:
    return load(str(Path(os.environ["OWNMARK_DATA"]) / "bccd"), size=SIZE, train=training, task=TASK)


def raw() -> nn.Module:
    """As torchvision's own code would use it."""
    model: nn.Module = small_retina(len(images(training=True).names) + TASK.first, size=SIZE)
    return model


def blank() -> nn.Module:
    return prepared(raw(), Preprocess())


def _trained(rng: torch.Generator) -> nn.Module:
    with seeded(rng):
        model = blank()
    return train(model, images(training=True), TRAINING, rng)


def model(role: str, number: int = 0) -> nn.Module:
    return kept(f"bccd small_retina {SIZE} {TRAINING}", blank, _trained, SEEDS[role][number])


def copy(name: str, table: dict[str, Attack] = ATTACKS, seed: int = 1) -> nn.Module:
    make = partial(table[name].apply, model("target"), images(training=True))
    return kept(f"bccd copy {table[name]} of small_retina {SIZE} {TRAINING}", blank, make, seed)


def as_images(pixels: npt.NDArray[np.uint8]) -> Images:
    """Pixels without boxes."""
    whole = images(training=False)
    return Images(pixels, np.zeros((len(pixels), 1, whole.labels.shape[2])), whole.names, TASK)


def every() -> Iterator[str]:
    """Makes each detector that is missing, those first that a claim needs; its name when it is there."""
    for role in ("target", "reference"):
        for number in range(len(SEEDS[role])):
            model(role, number)
            yield f"{role} {number}"
    for name in SURROGATES:
        copy(name, SURROGATES, seed=5)
        yield f"surrogate {name}"
    for name in ATTACKS:
        copy(name)
        yield f"copy {name}"
    for number in range(len(SEEDS["trial"])):
        model("trial", number)
        yield f"trial {number}"


if __name__ == "__main__":
    helped(__doc__)
    torch.set_num_threads(1)
    for done in every():
        sys.stdout.write(f"{done}\n")
        sys.stdout.flush()
