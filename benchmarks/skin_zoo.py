"""The suspects of the skin task: HAM10000, ResNet-18 of width 16 at 112x112, whose map is 7x7.

One target; its copies; models of other seeds, each with one role: `reference` models the owner trains for contrast, `tuning`
models on which the scheme's defaults were chosen, `trial` models that are only ever accused. All are trained on the same
images, which is the hardest case for an honest verdict. `python benchmarks/skin_zoo.py [part] [parts]` trains what is missing.
"""

import sys
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.data import Images, load, shares
from ownmark.models.layers import Layers
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Attack, silent
from ownmark.training import Training, seeded, train
from realdata import unpacked
from zoo import FOLDER, kept

SIZE = 112
WORK = FOLDER.parent / "skin"  # finished batches of fingerprints
TRAINING = Training(epochs=20, batch=32, rate=0.05, decay=2e-4, shift=0)
THIEF_SHARE = 0.3
SEEDS = {"target": [0], "reference": range(1, 3), "trial": range(100, 106), "tuning": range(300, 303)}
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


@cache
def images(*, training: bool) -> Images:
    return load(str(unpacked("ham10000")), size=SIZE, train=training)


def as_images(pixels: npt.NDArray[np.uint8]) -> Images:
    """Pixels of the skin task without labels."""
    names = images(training=False).names
    return Images(pixels, np.zeros(len(pixels), dtype=np.int64), names)


def blank() -> nn.Module:
    return ResNet18(7, width=16, last_stride=1)


def fresh(rng: torch.Generator) -> nn.Module:
    with seeded(rng):
        model = blank()
    return train(model, images(training=True), TRAINING, rng)


def model(role: str, number: int = 0) -> nn.Module:
    seed = SEEDS[role][number]
    return kept(f"ham10000 {SIZE} ResNet18 16 last_stride=1 {TRAINING}", blank, fresh, seed)


def thief() -> Images:
    return shares(images(training=True), (THIEF_SHARE,), torch.Generator().manual_seed(7))[0]


def copy(name: str, table: dict[str, Attack] = ATTACKS, seed: int = 1) -> nn.Module:
    attack = table[name]
    data = images(training=True) if isinstance(attack, Distill) else thief()
    recipe = f"ham10000 {SIZE} ResNet18 16 last_stride=1 {TRAINING} {attack} of seed {SEEDS['target'][0]} thief {THIEF_SHARE}"
    return kept(recipe, blank, partial(attack.apply, model("target"), data, progress=silent), seed)


if __name__ == "__main__":
    torch.set_num_threads(1)
    part, parts = (int(word) for word in (sys.argv[1:] or ["0", "1"]))
    if part == 0:
        model("target")
    roles = [(role, number) for number in range(6) for role in ("reference", "tuning", "trial")]
    for role, number in [one for one in roles if one[1] < len(SEEDS[one[0]])][part::parts]:
        model(role, number)
        print(role, number, flush=True)
