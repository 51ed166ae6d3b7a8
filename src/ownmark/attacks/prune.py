"""Weight pruning: sets the smallest weights of every layer to zero (Han et al. 2015, arXiv:1506.02626)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ownmark.attacks._common.pruning import pruned
from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.layers import check_own_weights
from ownmark.models.memory_format import laid_plain
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training


@dataclass(frozen=True)
class Prune:
    """Sets the `fraction` of smallest weights of each linear and convolutional layer to zero.

    With `epochs` > 0 the remaining weights are then fine-tuned on the thief's images with a one-cycle learning rate
    that peaks at `rate`; the pruned ones stay zero. `flips`: whether images are mirrored at random.
    """

    fraction: float = 0.3
    epochs: int = 0
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise UsageError(f"Prune: expected a fraction in [0, 1), got {self.fraction}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A pruned copy of `stolen`."""
        model = laid_plain(copied(stolen).requires_grad_(True))  # torch's pruning supports no other layout
        check_own_weights(model)
        layers = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
        masks = [(layer.weight, self._mask(layer.weight.detach())) for layer in layers]
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return pruned(model, masks, thief, training, rng, progress)

    def _mask(self, weight: Tensor) -> Tensor:
        """Ones, with zeros at the smallest weights; torch's own hooks would not run in an attention's last layer."""
        chosen: Tensor = prune.L1Unstructured(self.fraction).compute_mask(weight, torch.ones_like(weight))  # type: ignore[no-untyped-call]
        return chosen
