"""Rescaling of hidden neurons, which changes weights but no answer (Neyshabur et al. 2015, arXiv:1506.02617, section 2).

A rectified neuron that is made larger, with outgoing weights that are made smaller alike, answers the same.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.layers import check_own_weights
from ownmark.models.prepared import copied
from ownmark.models.wiring import wires_of
from ownmark.protocols import Progress, silent


@dataclass(frozen=True)
class Rescale:
    """Multiplies every hidden neuron by a positive factor and its outgoing weights by the inverse.

    The logarithms of the factors are normal with the standard deviation `spread`. The scale of a neuron is that of its last
    normalisation or, without one, of its layer. Only neurons whose activation is a rectifier (ReLU, leaky or parametric) qualify,
    and those that `Permute` may reorder.
    """

    spread: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.spread <= 10:  # noqa: PLR2004 - beyond which numbers overflow
            raise UsageError(f"Rescale: expected a spread in (0, 10], got {self.spread}")

    @torch.no_grad()
    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:  # noqa: ARG002 - the verb's signature
        """A copy of `stolen` with the same answers. Raises ModelError if no layer can be rescaled."""
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True).eval()
        wires = [wire for wire in wires_of(model, thief) if wire.scaled]
        if not wires:
            raise ModelError("the model has no hidden layer whose neurons are rectified, so none can be rescaled")
        for wire in wires:
            factors = (self.spread * torch.randn(wire.width, generator=rng)).exp()
            for tensor in wire.scaled:
                tensor.mul_(factors.to(tensor).view(-1, *[1] * (tensor.ndim - 1)))
            for reader in wire.readers:
                columns = factors.to(reader).repeat_interleave(reader.shape[1] // wire.width)
                reader.div_(columns.view(1, -1, *[1] * (reader.ndim - 2)))
        return model
