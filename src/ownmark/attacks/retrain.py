"""Retraining: re-initialises the last layer, then trains all layers (RTAL) or only the last (RTLL), as in Adi et al. 2018."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.models.layers import Layers, open_layers, reset_answers
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, seeded, train


@dataclass(frozen=True)
class Retrain:
    """Re-initialises the last layer, then trains the chosen `layers` for `epochs`; `rate`: peak of a one-cycle learning rate.

    `flips`: whether images are mirrored at random.
    """

    layers: Layers = Layers.ALL
    epochs: int = 5
    rate: float = 0.02
    flips: bool = True

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with a new last layer, trained on the thief's images."""
        model = copied(stolen)
        with seeded(rng):
            reset_answers(model)
        open_layers(model, self.layers)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return train(model, thief, training, rng, progress).requires_grad_(True)
