"""Neuron pruning: zeroes the least-activated neurons on the thief's images (Liu et al. 2018, arXiv:1805.12185).

Differs from the paper: the paper prunes only the last convolution until accuracy falls; here a share of every layer is pruned.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ownmark.attacks._common.pruning import pruned
from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.activations import listen, masks
from ownmark.models.layers import check_own_weights
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, predict


@dataclass(frozen=True)
class PruneNeurons:
    """Zeroes the `fraction` of neurons with the lowest mean activation on the thief's images, in each hidden layer.

    A neuron is an output channel of a convolution, or an output of a linear layer, whose value reaches an activation directly
    or through a normalisation. Its weights, bias and normalisation are set to zero, hence its output too. At least one neuron
    per layer is spared. Sums before an activation, as at the end of a residual block, are not neurons and stay, except at the
    last layer's input: there the last layer's weights for them are set to zero. With `epochs` > 0 the model is then fine-tuned
    with a one-cycle learning rate that peaks at `rate`; pruned neurons stay zero. `flips`: whether images are mirrored at random.
    """

    fraction: float = 0.3
    epochs: int = 0
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise UsageError(f"PruneNeurons: expected a fraction in [0, 1), got {self.fraction}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with zeroed neurons. Raises ModelError if no hidden neuron is found."""
        if not len(thief):
            raise DataError("expected at least one image to measure activations, got none")
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True)
        heard = listen(partial(predict, model, thief))
        if not heard.found:
            raise ModelError("the model has no hidden layer with an activation, so no neuron can be pruned")
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return pruned(model, masks(heard, self.fraction), thief, training, rng, progress)
