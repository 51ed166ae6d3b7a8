"""Head pruning: zeroes whole attention heads of a transformer and channels of its MLPs (Michel et al. 2019, arXiv:1905.10650).

Differs from the paper: heads are ranked by the L1 norm of the weights that read them, which takes no gradient, and the same share
of every attention is pruned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ownmark.attacks._common.pruning import pruned
from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.models.activations import listen, masks
from ownmark.models.layers import check_own_weights
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, predict

COUNTS = ("num_heads", "num_attention_heads")  # what an attention calls the number of its heads
READERS = ("out_proj", "proj", "o_proj", "output.dense", "dense")  # what it calls the layer that reads them


@dataclass(frozen=True)
class PruneHeads:
    """Zeroes the share `heads` of every attention's heads, and the share `channels` of every hidden layer's neurons.

    Neurons are as in `PruneNeurons`, in a transformer the channels of its MLPs; in a network without attention they are all that
    is pruned. At least one head per attention stays. With `epochs` > 0 the model is then fine-tuned with a one-cycle learning
    rate that peaks at `rate`; what was pruned stays zero. `flips`: whether images are mirrored at random.
    """

    heads: float = 0.25
    channels: float = 0.25
    epochs: int = 0
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.heads < 1 or not 0 <= self.channels < 1 or not self.heads + self.channels:
            got = f"heads={self.heads}, channels={self.channels}"
            raise UsageError(f"PruneHeads: expected shares in [0, 1), one of them above 0, got {got}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with fewer heads and channels. Raises ModelError if it has neither."""
        if not len(thief):
            raise DataError("expected at least one image to measure activations, got none")
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True)
        held = list(_unread(model, self.heads))
        heard = listen(partial(predict, model, thief)) if self.channels else None
        if heard is not None and heard.found:
            held += masks(heard, self.channels)
        if not held:
            raise ModelError("the model has no attention with several heads and no hidden layer with an activation to prune")
        training = Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
        return pruned(model, held, thief, training, rng, progress)


def _unread(model: nn.Module, fraction: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Masks for the layers that read an attention's heads: zeros in the columns of those with the lowest L1 norm."""
    for reader, count in _readers(model):
        weight = reader.weight
        sizes = weight.detach().abs().sum(dim=0).view(count, -1).sum(dim=1)
        lowest = sizes.argsort(stable=True)[: min(round(fraction * count), count - 1)]
        mask = torch.ones_like(weight)
        mask.view(len(weight), count, -1)[:, lowest] = 0
        yield weight, mask


def _readers(model: nn.Module) -> Iterator[tuple[nn.Linear, int]]:
    """The layer behind every attention, with the number of its heads."""
    for name, module in model.named_modules():
        count = next((vars(module)[word] for word in COUNTS if word in vars(module)), 0)
        outer = name.rpartition(".")[0]
        inside = dict(module.named_modules())
        beside = dict(model.get_submodule(outer).named_modules()) if name else {}
        found = next((place[word] for place in (inside, beside) for word in READERS if word in place), None)
        if isinstance(found, nn.Linear) and type(count) is int and count > 1 and found.in_features % count == 0:
            yield found, count
