"""Models of the students' benchmark: HAM10000 at 40x40, one target, its students and other copies, and independent models.

Every model is kept in the bench's store. `python benchmarks/student_zoo.py` trains what is missing, the most needed first.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from helped import helped
from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks.distill import Distill
from ownmark.attacks.extract import Extract
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.knockoff import Knockoff
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.retrain import Retrain
from ownmark.attacks.wrk import WRK
from ownmark.bench.artifacts import Copied, Fresh, Pictures, Setting
from ownmark.data.images import Images
from ownmark.models.layers import Layers
from ownmark.models.network import build
from ownmark.protocols import Attack, silent
from ownmark.training import Training, seeded
from zoo import ZOO, kept

SIZE, CLASSES = 40, 7
NETWORK = "ownmark:ResNet18(width=16, last_stride=1)"
TRAINING = Training(epochs=10, batch=64, rate=0.05)
MINE, HELD_OUT = (Pictures("${OWNMARK_DATA}/ham10000", SIZE, training=training) for training in (True, False))
SETTING = Setting(MINE, NETWORK, TRAINING)
FEWER = {"half_epochs": Setting(MINE, NETWORK, Training(epochs=5, batch=64, rate=0.05))}  # cheaper references
EPOCHS = {0: 25, 3: 60, 10: 40, 30: 20, 100: 10}  # of a student, by the share of the owner's images in per cent; 0: held-out ones
FOREIGN = Foreign("${OWNMARK_DATA}/cifar10", most=5000)
COPIES: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=5, rate=0.01),
    "retrain_all": Retrain(epochs=5, rate=0.02),
    "prune_filters_7": PruneFilters(0.4375, epochs=2),
}
THEFTS: dict[str, Attack] = {"wrk": WRK(), "knockoff_soft": Knockoff(FOREIGN, epochs=15, rate=0.05)}
OTHERS = {
    "half_width": "ownmark:ResNet18(width=8, last_stride=1)",
    "mobilenet": "small_networks:mobilenet",
    "vit": "small_networks:vit",
}
SURROGATES: tuple[Attack, ...] = (Finetune(epochs=3, rate=0.02), Retrain(Layers.LAST, epochs=3, rate=0.05), Prune(0.4))
TARGET = Fresh(SETTING, 0)
SEEDS = {"reference": range(1, 4), "innocent": range(100, 102), "elsewhere": range(200, 202)}


def images(*, training: bool) -> Images:
    return ZOO.images(MINE if training else HELD_OUT)


def fresh(role: str, number: int, setting: Setting = SETTING) -> nn.Module:
    """An independent model; those `elsewhere` were trained on the held-out images."""
    setting = Setting(HELD_OUT, NETWORK, Training(epochs=25, batch=64, rate=0.05)) if role == "elsewhere" else setting
    return ZOO.model(Fresh(setting, SEEDS[role][number]))


def growing(seed: int) -> nn.Module:
    """A reference as `ownmark protect` trains it today."""
    from ownmark.training import SHORTER, SMALL, train_growing

    def made(rng: torch.Generator) -> nn.Module:
        with seeded(rng):
            model = build(NETWORK, CLASSES)
        return train_growing(model, images(training=True), TRAINING, rng)

    how = f"{TRAINING}, growing in {SHORTER}, small in {SMALL}"
    return kept(f"a reference of {NETWORK} by {how} on {SIZE}", partial(build, NETWORK, CLASSES), made, seed)


def copy(name: str) -> nn.Module:
    return ZOO.model(Copied(TARGET, (COPIES | THEFTS)[name], 0.3, 1))


def other(kind: str) -> nn.Module:
    """An independent model of another architecture."""
    return ZOO.model(Fresh(Setting(MINE, OTHERS[kind], TRAINING), SEEDS["innocent"][0]))


def surrogate(number: int) -> nn.Module:
    return ZOO.model(Copied(TARGET, SURROGATES[number], 0.3, 5))


def student(share: int, seed: int = 1, *, hard: bool = False, network: str = "") -> nn.Module:
    """A student that learnt the target's answers (with `hard`: its labels) to a share, in per cent, of the owner's images.

    `network`: of another architecture than the target's.
    """
    settings: dict[str, Any] = {"epochs": EPOCHS[share], "rate": 0.05, "student": network}
    attack = Extract(**settings) if hard else Distill(**settings)
    thief = images(training=False) if share == 0 else ZOO.thief(SETTING, share / 100)
    return kept(
        f"{attack} of {ZOO.weights(TARGET)} with {share} %",
        partial(build, network or NETWORK, CLASSES),
        lambda rng: attack.apply(ZOO.model(TARGET), thief, rng, silent),
        seed,
    )


def zoo() -> dict[str, Callable[[], nn.Module]]:
    """Every model by name, as a function that loads or trains it; the most needed first."""
    return {
        "target": partial(ZOO.model, TARGET),
        **{f"reference_{number}": partial(fresh, "reference", number) for number in range(3)},
        **{f"student_{share}": partial(student, share) for share in (100, 30, 0)},
        **{f"surrogate_{number}": partial(surrogate, number) for number in range(len(SURROGATES))},
        **{f"innocent_{number}": partial(fresh, "innocent", number) for number in range(2)},
        "elsewhere_0": partial(fresh, "elsewhere", 0),
        **{name: partial(copy, name) for name in COPIES},
        **{f"student_{share}": partial(student, share) for share in (10, 3)},
        **{f"{kind}_{number}": partial(fresh, "reference", number, FEWER[kind]) for kind in FEWER for number in range(3)},
        "hard_100": partial(student, 100, hard=True),
        **{f"student_{kind}": partial(student, 100, network=OTHERS[kind]) for kind in OTHERS},
        **{f"innocent_{kind}": partial(other, kind) for kind in OTHERS},
        **{name: partial(copy, name) for name in THEFTS},
        **{f"elsewhere_{number}": partial(fresh, "elsewhere", number) for number in range(1, len(SEEDS["elsewhere"]))},
    }


if __name__ == "__main__":
    helped(__doc__)
    torch.set_num_threads(1)
    for name, made in zoo().items():
        made()
        print(name, flush=True)
