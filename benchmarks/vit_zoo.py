"""Models of the transformers' benchmark: CIFAR-10 at 28x28, four small networks, whose maps are all 7x7.

Per kind of network one target, its copies, and independent models trained on the same images from other random starts, all
trained here by AdamW with mirrored and shifted images. Every model is kept in the bench's store, so that interrupted runs resume.
`python benchmarks/vit_zoo.py [KIND...]` trains what is missing.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import ConvNeXt, MobileNetV3, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.vision_transformer import ConvStemConfig

from helped import helped
from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.prune_filters import PruneFilters
from ownmark.attacks.prune_heads import PruneHeads
from ownmark.attacks.quantize import Quantize
from ownmark.attacks.retrain import Retrain
from ownmark.bench.artifacts import Pictures
from ownmark.data.images import Images
from ownmark.models.layers import Layers
from ownmark.models.network import build
from ownmark.models.weights import weights_digest
from ownmark.protocols import Attack, silent
from ownmark.training import Training, augment, seeded
from zoo import ZOO, kept

SIZE, CLASSES = 28, 10
MINE, HELD_OUT = (Pictures("${OWNMARK_DATA}/cifar10", SIZE, training=training) for training in (True, False))
TRAINED_ON, TESTED_ON, THIEF = 6000, 2000, 1800  # images
SHIFTED = Training(shift=2)
CNN = "ownmark:ResNet18(width=16, stem='cifar', last_stride=1)"  # of a student


def vit() -> nn.Module:
    """Four blocks of width 48 behind a stem of two convolutions (Xiao et al. 2021, arXiv:2106.14881)."""
    stem = [ConvStemConfig(24, 3, 2), ConvStemConfig(48, 3, 2)]
    model: nn.Module = VisionTransformer(SIZE, 4, 4, 3, 48, 96, num_classes=CLASSES, conv_stem_configs=stem)
    nn.init.trunc_normal_(model.get_parameter("heads.head.weight"), std=0.02)  # torchvision's are all zeros
    return model


def swin() -> nn.Module:
    """Two blocks of width 24 on 14x14 patches, two of width 48 on 7x7."""
    options = {"mlp_ratio": 2.0, "stochastic_depth_prob": 0.0, "num_classes": CLASSES}
    model: nn.Module = SwinTransformer([2, 2], 24, [2, 2], [2, 4], [7, 7], **options)
    return model


def convnext() -> nn.Module:
    """Two blocks of width 24 on 14x14 patches, two of width 48 on 7x7; torchvision's own stem has a stride of 4."""
    blocks = [CNBlockConfig(24, 48, 2), CNBlockConfig(48, None, 2)]
    model = ConvNeXt(blocks, stochastic_depth_prob=0.0, layer_scale=0.2, num_classes=CLASSES)
    model.features[0][0] = nn.Conv2d(3, 24, 4, 2, 1)
    made: nn.Module = model
    return made


def mobilenet() -> nn.Module:
    """Four inverted residuals of MobileNetV3, the last three with squeeze-and-excitation."""
    block = partial(InvertedResidualConfig, width_mult=1.0, dilation=1)
    first = block(16, 3, 32, 16, use_se=False, activation="RE", stride=1)
    rest = [block(at, 3, wide, to, use_se=True, activation="HS", stride=step) for at, wide, to, step in BLOCKS]
    model: nn.Module = MobileNetV3([first, *rest], 128, num_classes=CLASSES, dropout=0.0)
    return model


BLOCKS = ((16, 64, 32, 2), (32, 96, 32, 1), (32, 96, 48, 1))
COMMON: dict[str, Attack] = {
    "finetune_all": Finetune(epochs=3, rate=0.01),
    "retrain_all": Retrain(epochs=3, rate=0.02),
    "retrain_last": Retrain(Layers.LAST, epochs=3, rate=0.02),
    "prune_0.3": Prune(0.3),
}
OF_TRANSFORMERS: dict[str, Attack] = {
    "finetune_last": Finetune(Layers.LAST, epochs=3, rate=0.01),
    "prune_0.5": Prune(0.5, epochs=2),
    "heads": PruneHeads(heads=0.3, channels=0.0),
    "heads_and_channels": PruneHeads(heads=0.3, channels=0.25, epochs=2),
    "quantize": Quantize(),
}
OF_CONVOLUTIONS: dict[str, Attack] = {"prune_filters": PruneFilters(0.125, epochs=1)}
SURROGATES: tuple[Attack, ...] = (Finetune(epochs=3, rate=0.02), Retrain(Layers.LAST, epochs=3, rate=0.05), Prune(0.4))


@dataclass(frozen=True)
class Kind:
    """A kind of network: how it is `built` and trained, how many `independent` ones there are, and its copies.

    `students`: the epochs for which a CNN learns the target's answers, 0 for no students. A network that learns the CNN's
    answers in turn takes twice the epochs of the target.
    """

    built: Callable[[], nn.Module]
    epochs: int
    rate: float
    independent: int
    copies: dict[str, Attack]
    students: int = 0


KINDS = {
    "vit": Kind(vit, 3, 3e-3, 8, COMMON | OF_TRANSFORMERS, students=8),
    "swin": Kind(swin, 12, 4e-3, 8, COMMON | OF_TRANSFORMERS, students=16),
    "convnext": Kind(convnext, 12, 4e-3, 4, COMMON | OF_CONVOLUTIONS),
    "mobilenet": Kind(mobilenet, 8, 4e-3, 4, COMMON | OF_CONVOLUTIONS),
}
TARGET, REFERENCES, FIRST = 0, (1, 2, 3), 100  # seeds


def images(*, training: bool) -> Images:
    """The owner's images, on which the independent models are trained, too; or those to measure on."""
    every = ZOO.images(MINE if training else HELD_OUT)
    order = np.random.default_rng(0).permutation(len(every))
    return every.take(order[: TRAINED_ON if training else TESTED_ON])


def fresh(name: str, seed: int) -> nn.Module:
    """A model of that kind, trained from a seed."""
    kind = KINDS[name]
    recipe = f"vit bench: {name}, {TRAINED_ON} images, {kind.epochs} epochs, AdamW {kind.rate}"
    return kept(recipe, kind.built, partial(_trained, kind), seed)


def _trained(kind: Kind, rng: torch.Generator) -> nn.Module:
    labels = torch.from_numpy(images(training=True).labels)
    return _learnt(kind, lambda rows, _: functional.one_hot(labels[rows], CLASSES) * 0.9 + 0.1 / CLASSES, rng)


def _taught(kind: Kind, teacher: nn.Module, rng: torch.Generator) -> nn.Module:
    return _learnt(replace(kind, epochs=2 * kind.epochs), lambda _, shown: teacher(shown).softmax(1), rng)


def _learnt(kind: Kind, wanted: Callable[[Tensor, Tensor], Tensor], rng: torch.Generator) -> nn.Module:
    """A new network that learnt what is `wanted` (n, classes) of rows of the owner's images, as they are shown.

    AdamW with one cycle of the learning rate and batches of 64.
    """
    with seeded(rng):
        model = kind.built().train()
    mine = images(training=True)
    steps = len(mine) // 64
    optimiser = torch.optim.AdamW(model.parameters(), lr=kind.rate, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, kind.rate, total_steps=kind.epochs * steps, pct_start=0.25)
    for _ in range(kind.epochs):
        for rows in torch.randperm(len(mine), generator=rng)[: steps * 64].view(steps, 64):
            shown = augment(mine.batch(rows, torch.device("cpu")), SHIFTED, rng)
            with torch.no_grad():
                answers = wanted(rows, shown)
            optimiser.zero_grad(set_to_none=True)
            functional.cross_entropy(model(shown), answers).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            cycle.step()
    return model.eval()


def copy(name: str, attack: Attack, seed: int = 1) -> nn.Module:
    """A copy of the target, made with the thief's share of the images."""
    thief = images(training=True).take(np.arange(THIEF))
    target = fresh(name, TARGET)
    recipe = f"{attack} of {weights_digest(target)} with {THIEF}"
    return kept(recipe, KINDS[name].built, lambda rng: attack.apply(target, thief, rng, silent), seed)


def student(name: str, *, back: bool) -> nn.Module:
    """A CNN that learnt the target's answers to the owner's images, or a network of the target's kind that learnt the CNN's."""
    target, mine = fresh(name, TARGET), images(training=True)
    attack = Distill(epochs=KINDS[name].students, rate=0.05, student=CNN)
    recipe = f"{attack} of {weights_digest(target)}"
    first = kept(recipe, partial(build, CNN, CLASSES), lambda rng: attack.apply(target, mine, rng, silent), 1)
    if not back:
        return first
    recipe, kind = f"back to {name} from {weights_digest(first)}, twice the epochs", KINDS[name]
    return kept(recipe, kind.built, partial(_taught, kind, first), 1)


def suspects(name: str) -> Mapping[str, Callable[[], nn.Module]]:
    """Every model that is judged, by name; copies first, then independent models, then students."""
    kind = KINDS[name]
    copies = {f"copy.{word}": partial(copy, name, attack) for word, attack in kind.copies.items()}
    students = {"student.cnn": partial(student, name, back=False), "student.back": partial(student, name, back=True)}
    others = {f"independent.{number}": partial(fresh, name, FIRST + number) for number in range(kind.independent)}
    return copies | others | (students if kind.students else {})


if __name__ == "__main__":
    helped(__doc__, "only these kinds of network")
    torch.set_num_threads(1)
    for asked in sys.argv[1:] or KINDS:
        for called, made in suspects(asked).items():
            made()
            print(asked, called, flush=True)
