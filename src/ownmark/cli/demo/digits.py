"""The demo's task and models: handwritten digits, a small network, and the models of each party."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import nn

from ownmark.attacks.distill import Distill
from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.attacks.retrain import Retrain
from ownmark.data.images import Images, digits
from ownmark.metrics import accuracy
from ownmark.models.layers import Layers
from ownmark.models.weights import load_weights, save_weights
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Attack, silent
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.training import Training, predict, seeded, train

WIDTHS, STRIDES = (16, 32, 32, 64, 64), (2, 2, 1, 1, 1)  # of the convolutions; the digits have only 8x8 pixels
CORNER = ((0, 0), (0, 1), (1, 0), (1, 1))
SCHEME = Saliency(samples=40, descent=Descent(bound=0.1, steps=50, step=0.2), cells=CORNER, map_threshold=0.15)
LONG = Training(epochs=5, batch=32, rate=0.1, flips=False, shift=1)
SHORT = replace(LONG, epochs=2)  # of the calibration models: their scores vary more, which makes p more conservative
COPIES: dict[str, Attack] = {
    "fine-tuned": Finetune(epochs=3, rate=0.005),
    "pruned": Prune(0.3),
    "last-layer-retrained": Retrain(Layers.LAST, epochs=4),
    "distilled": Distill(epochs=6),
}
SURROGATES: tuple[Attack, ...] = (Finetune(epochs=3, rate=0.02), Retrain(Layers.LAST, epochs=3, rate=0.05), Prune(0.4))
THIEFS_PART = 3  # a thief has every third image, for distillation all


@dataclass(frozen=True)
class Job:
    """One model to make: trained from `seed`, or by `attack` from the weights `stolen` with every `every`-th image."""

    file: Path
    seed: int
    training: Training = SHORT
    attack: Attack | None = None
    stolen: Path | None = None
    every: int = 1

    def run(self) -> float:
        """Writes the weights; returns the model's accuracy on held-out digits."""
        rng = torch.Generator().manual_seed(self.seed)
        mine = images(training=True)
        mine = mine.take(range(0, len(mine), self.every))
        if self.attack is not None and self.stolen is not None:
            model = self.attack.apply(loaded(self.stolen), mine, rng, silent)
        else:
            with seeded(rng):
                model = network()
            train(model, mine, self.training, rng)
        save_weights(model, self.file)
        held_out = images(training=False)
        return accuracy(predict(model, held_out).argmax(dim=1).numpy(), held_out.labels)


def network() -> nn.Module:
    """The network of the demo, untrained: its map of a 28x28 image is 7x7, and it trains in a second or two."""
    convolutions = [_convolution(*sizes) for sizes in zip((1, *WIDTHS), WIDTHS, STRIDES, strict=False)]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(WIDTHS[-1], 10))


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())


def loaded(file: Path) -> nn.Module:
    """The network with weights from a file."""
    return load_weights(network(), file)


@cache
def images(*, training: bool) -> Images:
    """The digits in light grey on dark grey: on pure black and white, half of a perturbation would leave the pixel range."""
    plain = digits(train=training)
    return replace(plain, pixels=plain.pixels // 2 + 64)


def export(file: Path, to: Path) -> None:
    """Writes the network with the weights in `file` as an ONNX file."""
    height, width, channels = images(training=True).size
    example = torch.zeros(2, channels, height, width)
    shapes = ({0: torch.export.Dim("n")},)
    torch.onnx.export(loaded(file), (example,), to, dynamic_shapes=shapes, external_data=False, verbose=False)
