"""Neuron pruning: the neurons that the thief's images excite least fall silent (Liu et al. 2018, arXiv:1805.12185).

Differs from the paper: it prunes the last convolution only and until accuracy falls, here a share of every layer goes.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.activations import listen, masks
from ownmark.models.copies import copied
from ownmark.models.layers import check_own_weights, held_at_zero
from ownmark.protocols import Progress, silent
from ownmark.training import Training, predict, train


@dataclass(frozen=True)
class PruneNeurons:
    """Silence the `fraction` of neurons of each hidden layer whose mean activation on the thief's images is least.

    A neuron is an output channel of a convolution, or an output of a linear layer, whose value goes through an activation
    straight or behind a normalisation. It falls silent: its weights, its bias and its normalisation become zero, and so does
    what it puts out. One neuron of a layer stays at least. What is added up before its activation, as at the end of a
    residual block, is the work of several layers and stays, but for what the last layer sees: there the weights that take
    it in become zero. With `epochs` > 0 the model is then fine-tuned with a one-cycle learning rate that peaks at `rate`;
    the silent stay silent. `flips`: whether images are mirrored at random.
    """

    fraction: float = 0.3
    epochs: int = 0
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise UsageError(f"PruneNeurons needs a fraction in [0, 1), got {self.fraction}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with silent neurons. Raises ModelError where no hidden neuron is found."""
        if not len(thief):
            raise DataError("activations need one image or more, got none")
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True)
        heard = listen(partial(predict, model, thief))
        if not heard.found:
            raise ModelError("the model has no hidden layer that goes through an activation, so that no neuron can be pruned")
        with held_at_zero(masks(heard, self.fraction)):
            if self.epochs:
                train(model, thief, Training(epochs=self.epochs, rate=self.rate, flips=self.flips), rng, progress)
        return model.eval()
