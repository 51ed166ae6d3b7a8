"""Models of the students' benchmark: HAM10000 at 40x40, one target, its students and other copies, and independent models.

Every model is kept in the bench's store. `python benchmarks/student_zoo.py` trains what is missing, the most needed first.
"""

import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer

from ownmark.attacks.distill import Distill
from ownmark.attacks.extract import Extract
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.retrain import Retrain
from ownmark.bench.artifacts import Copied, Fresh, Pictures, Setting
from ownmark.data.image_places import resolved
from ownmark.data.images import Images
from ownmark.models.layers import Layers
from ownmark.models.network import build
from ownmark.protocols import Attack
from ownmark.training import Training
from zoo import ZOO, kept

SIZE, CLASSES = 40, 7
NETWORK = "ownmark:ResNet18(width=16, last_stride=1)"
TRAINING = Training(epochs=10, batch=64, rate=0.05)
MINE, HELD_OUT = (Pictures("${OWNMARK_DATA}/ham10000", SIZE, training=training) for training in (True, False))
SETTING = Setting(MINE, NETWORK, TRAINING)
ARCHITECTURES = {
    "resnet": NETWORK,
    "mobilenet": f"torchvision:mobilenet_v3_small(num_classes={CLASSES})",
    "vit": "student_zoo:vit",
}
FEWER = {  # cheaper references: half the epochs, half the width
    "half_epochs": Setting(MINE, NETWORK, Training(epochs=5, batch=64, rate=0.05)),
    "half_width": Setting(MINE, "ownmark:ResNet18(width=8, last_stride=1)", TRAINING),
}
EPOCHS = {0: 25, 3: 60, 10: 40, 30: 20, 100: 10}  # of a student, by the share of the owner's images in per cent; 0: held-out ones
COPIES: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=5, rate=0.01),
    "retrain_all": Retrain(epochs=5, rate=0.02),
    "prune_filters_7": PruneFilters(0.4375, epochs=2),
}
SURROGATES: tuple[Attack, ...] = (Finetune(epochs=3, rate=0.02), Retrain(Layers.LAST, epochs=3, rate=0.05), Prune(0.4))
TARGET = Fresh(SETTING, 0)
SEEDS = {"reference": range(1, 6), "innocent": range(100, 110), "elsewhere": range(200, 203)}
FOREIGN = 7000  # photographs of Tiny-ImageNet that a thief asks about


def vit() -> nn.Module:
    """A small vision transformer."""
    return VisionTransformer(  # type: ignore[no-any-return]
        image_size=SIZE, patch_size=5, num_layers=4, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=CLASSES
    )


def images(*, training: bool) -> Images:
    return ZOO.images(MINE if training else HELD_OUT)


def fresh(role: str, number: int, setting: Setting = SETTING) -> nn.Module:
    """An independent model; those `elsewhere` were trained on the held-out images."""
    setting = Setting(HELD_OUT, NETWORK, Training(epochs=25, batch=64, rate=0.05)) if role == "elsewhere" else setting
    return ZOO.model(Fresh(setting, SEEDS[role][number]))


def other(architecture: str, number: int = 0) -> nn.Module:
    """An independent model of another architecture."""
    return ZOO.model(Fresh(Setting(MINE, ARCHITECTURES[architecture], TRAINING), 300 + number))


def copy(name: str) -> nn.Module:
    return ZOO.model(Copied(TARGET, COPIES[name], 0.3, 1))


def surrogates() -> tuple[nn.Module, ...]:
    return tuple(ZOO.model(Copied(TARGET, attack, 0.3, 5)) for attack in SURROGATES)


def student(share: int, seed: int = 1, *, architecture: str = "resnet", hard: bool = False) -> nn.Module:
    """A student that learnt the target's answers (with `hard`: its labels) to a share, in per cent, of the owner's images."""
    name, network = "" if architecture == "resnet" else ARCHITECTURES[architecture], ARCHITECTURES[architecture]
    settings: dict[str, Any] = {"epochs": EPOCHS[share], "rate": 0.05, "student": name}
    attack = Extract(**settings) if hard else Distill(**settings)
    thief = images(training=False) if share == 0 else ZOO.thief(SETTING, share / 100)
    return learnt(attack, thief, f"{share} %", network, seed)


def knockoff(seed: int = 1) -> nn.Module:
    """A student that saw nothing but foreign photographs and the target's answers to them."""
    return learnt(Distill(epochs=16, rate=0.05), foreign(), f"{FOREIGN} foreign", NETWORK, seed)


def learnt(attack: Attack, thief: Images, seen: str, network: str, seed: int) -> nn.Module:
    recipe = f"{attack} of {ZOO.weights(TARGET)} with {seen}"
    return kept(
        recipe,
        lambda: build(network, CLASSES),
        lambda rng: attack.apply(ZOO.model(TARGET), thief, rng, lambda *_: None),
        seed,
    )


def foreign() -> Images:
    """Photographs of Tiny-ImageNet, evenly spread over its classes; their labels are not used."""
    with zipfile.ZipFile(resolved("${OWNMARK_DATA}/tinyimagenet100")) as packed:
        names = sorted(name for name in packed.namelist() if "/train/" in name and name.endswith(".jpg"))
        chosen = [names[row] for row in np.linspace(0, len(names) - 1, FOREIGN).astype(int)]
        pixels = np.stack([_photograph(packed.read(name)) for name in chosen])
    return Images(pixels, np.zeros(len(pixels), dtype=np.int64), images(training=True).names)


def _photograph(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR), dtype=np.uint8)


def zoo() -> Mapping[str, Any]:
    """Every model by name, as a function that loads or trains it; the most needed first."""
    return {
        "target": lambda: ZOO.model(TARGET),
        **{f"reference_{n}": lambda n=n: fresh("reference", n) for n in range(3)},
        **{f"student_{share}": lambda share=share: student(share) for share in (100, 30, 0)},
        **{f"innocent_{n}": lambda n=n: fresh("innocent", n) for n in range(4)},
        **{f"elsewhere_{n}": lambda n=n: fresh("elsewhere", n) for n in range(3)},
        "hard_100": lambda: student(100, hard=True),
        "hard_30": lambda: student(30, hard=True),
        **{name: lambda name=name: copy(name) for name in COPIES},
        **{f"surrogate_{n}": lambda n=n: surrogates()[n] for n in range(len(SURROGATES))},
        **{f"half_width_{n}": lambda n=n: fresh("reference", n, FEWER["half_width"]) for n in range(3)},
        **{f"half_epochs_{n}": lambda n=n: fresh("reference", n, FEWER["half_epochs"]) for n in range(3)},
        **{f"student_{share}": lambda share=share: student(share) for share in (10, 3)},
        **{f"reference_{n}": lambda n=n: fresh("reference", n) for n in (3, 4)},
        **{f"innocent_{n}": lambda n=n: fresh("innocent", n) for n in range(4, 10)},
        "mobilenet_30": lambda: student(30, architecture="mobilenet"),
        "vit_30": lambda: student(30, architecture="vit"),
        "other_mobilenet": lambda: other("mobilenet"),
        "other_vit": lambda: other("vit"),
        "knockoff": knockoff,
        **{f"student_{share}_2": lambda share=share: student(share, 2) for share in (30, 0)},
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name, made in zoo().items():
        made()
        print(name, flush=True)
