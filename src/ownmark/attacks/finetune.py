"""Fine-tuning: continues training of all layers (FTAL) or the last layer (FTLL), as in Adi et al. 2018."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.models.layers import Layers, open_layers
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, train


@dataclass(frozen=True)
class Finetune:
    """Trains the chosen `layers` for `epochs` on the thief's images; `rate`: peak of a one-cycle learning rate.

    `flips`: whether images are mirrored at random.
    """

    layers: Layers = Layers.ALL
    epochs: int = 5
    rate: float = 0.01
    flips: bool = True

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A fine-tuned copy of `stolen`."""
        model = copied(stolen)
        open_layers(model, self.layers)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return train(model, thief, training, rng, progress).requires_grad_(True)
