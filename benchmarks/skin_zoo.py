"""Models of the skin task, from the recipe `skin` at the scale `cpu`: ResNet-18 of width 16 at 112x112, with a 7x7 map.

One target; its copies; models of other seeds with one role each: `reference` models that the owner trains for contrast, `tuning`
models for choosing the scheme's defaults, `trial` models that are only tested. All share the same training images, the hardest
case for false accusations. `python benchmarks/skin_zoo.py [part] [parts]` trains missing models.
"""

import sys

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from helped import helped
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.bench.artifacts import Copied, Fresh
from ownmark.bench.grid import Grid
from ownmark.bench.recipe import recipe
from ownmark.data.images import Images
from ownmark.models.layers import Layers
from ownmark.protocols import Attack
from zoo import ZOO

RECIPE = recipe("skin")
GRID = Grid(RECIPE, RECIPE.scale("cpu"))
WORK = ZOO.store.workspace  # finished batches of fingerprints
SEEDS = {"target": [0], "reference": GRID.scale.references, "trial": range(100, 106), "tuning": range(300, 303)}
ATTACKS: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=5, rate=0.01),
    "finetune_last": Finetune(Layers.LAST, epochs=5, rate=0.01),
    "prune_0.3": Prune(0.3),
    "prune_0.5": Prune(0.5, epochs=2),
    "retrain_all": Retrain(epochs=5, rate=0.02),
    "retrain_last": Retrain(Layers.LAST, epochs=5, rate=0.02),
    "distill": Distill(epochs=20, rate=0.05),
}
SURROGATES: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=3, rate=0.02),
    "retrain_last": Retrain(Layers.LAST, epochs=3, rate=0.05),
    "prune_0.4": Prune(0.4),
}


def images(*, training: bool) -> Images:
    return ZOO.images(GRID.pictures(training=training))


def as_images(pixels: npt.NDArray[np.uint8]) -> Images:
    """Pixels of the skin task without labels."""
    names = images(training=False).names
    return Images(pixels, np.zeros(len(pixels), dtype=np.int64), names)


def model(role: str, number: int = 0) -> nn.Module:
    return ZOO.model(Fresh(GRID.setting, SEEDS[role][number]))


def copy(name: str, table: dict[str, Attack] = ATTACKS, seed: int = 1) -> nn.Module:
    attack = table[name]
    share = 1.0 if isinstance(attack, Distill) else GRID.scale.thief_share
    return ZOO.model(Copied(Fresh(GRID.setting, SEEDS["target"][0]), attack, share, seed))


if __name__ == "__main__":
    helped(__doc__, "PART PARTS: every so many-th model")
    torch.set_num_threads(1)
    part, parts = (int(word) for word in (sys.argv[1:] or ["0", "1"]))
    if part == 0:
        model("target")
    roles = [(role, number) for number in range(6) for role in ("reference", "tuning", "trial")]
    for role, number in [one for one in roles if one[1] < len(SEEDS[one[0]])][part::parts]:
        model(role, number)
        print(role, number, flush=True)
