"""Permutation of hidden neurons, which changes weights but no answer (Hecht-Nielsen 1990; a threat to marks in weights).

Answers are the same up to the order in which numbers are added.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import UsageError
from ownmark.models.layers import check_own_weights
from ownmark.models.prepared import copied
from ownmark.models.wiring import wires_of
from ownmark.protocols import Progress, silent


@dataclass(frozen=True)
class Permute:
    """Reorders a `fraction` of every hidden layer's neurons at random, with their biases, normalisation and outgoing weights.

    A neuron is an output channel of a convolution or an output of a linear layer. Layers whose outputs are summed with others, as
    at the end of a residual block, stay as they are: see `models.wiring`.
    """

    fraction: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise UsageError(f"Permute: expected a fraction in (0, 1], got {self.fraction}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with the same answers. Raises ModelError if no layer can be permuted."""
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True).eval()
        for wire in wires_of(model, thief):
            chosen = torch.randperm(wire.width, generator=rng)[: round(self.fraction * wire.width)]
            order = torch.arange(wire.width).index_copy_(0, chosen.sort().values, chosen)
            for tensor in wire.rows:
                tensor.copy_(tensor[order.to(tensor.device)])
            for reader in wire.readers:
                each = reader.shape[1] // wire.width  # inputs per neuron: several after flattening a map
                columns = (order[:, None] * each + torch.arange(each)).flatten()
                reader.copy_(reader[:, columns.to(reader.device)])
        return model
