"""Transfer: the stolen features serve other labels (Lukas et al. 2022, arXiv:2108.04974, "transfer learning").

Differs from the paper: a model for classes keeps its number of outputs, so that its weights still fit the stolen model's code.
A judge cannot ask it about the owner's labels: they mean something else to it. `Retrain(Layers.LAST)` gives it a head for them.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.attacks._common.foreign import Foreign
from ownmark.attacks._common.unlocated import check_unlocated
from ownmark.data.images import Images
from ownmark.models.layers import Layers, last_layer, open_layers, reinitialise
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, seeded, train


@dataclass(frozen=True)
class Transfer:
    """Re-initialises the last layer, then trains the chosen `layers` for `epochs` on foreign images and their labels.

    Of more classes than the model has outputs, only the first ones are used (see `Foreign`). Of the thief's own images only the
    size and the task are used. `rate`: peak of a one-cycle learning rate; `flips`: whether images are mirrored at random.
    """

    to: Foreign = Foreign()
    layers: Layers = Layers.ALL
    epochs: int = 5
    rate: float = 0.02
    flips: bool = True

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` for other labels. Raises DataError for a place without images, or a thief without one."""
        check_unlocated(self, thief)
        other = self.to.labelled(thief, rng)
        model = copied(stolen)
        with seeded(rng):
            reinitialise(last_layer(model))
        open_layers(model, self.layers)
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return train(model, other, training, rng, progress).requires_grad_(True)
