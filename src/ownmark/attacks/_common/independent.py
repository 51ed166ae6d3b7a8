"""A model of the stolen model's architecture that does not derive from it, as an ingredient of an attack."""

from dataclasses import dataclass

import torch
from torch import nn

from ownmark.data.image_places import resolved, stamp
from ownmark.data.images import Images
from ownmark.models.layers import untaught
from ownmark.models.prepared import copied
from ownmark.models.weights import load_weights
from ownmark.protocols import Progress
from ownmark.training import Training, seeded, steps_of, train


@dataclass(frozen=True)
class Independent:
    """The model in the file `weights` or, without one, a model that the thief trains from scratch on their own images.

    `${VARIABLE}` in the file's name is expanded. `flips`: whether training mirrors images at random.
    """

    weights: str = ""
    epochs: int = 16
    rate: float = 0.1
    flips: bool = True

    @property
    def source(self) -> str:
        """A digest of the name and size of the file, "" without one."""
        return stamp(resolved(self.weights)) if self.weights else ""

    def steps(self, thief: Images) -> int:
        """How many steps of training it takes."""
        return 0 if self.weights else steps_of(self._training, len(thief))

    def model(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress) -> nn.Module:
        """The model, in eval mode; of `stolen` only the architecture is used. Raises ModelError for weights that do not fit."""
        if self.weights:
            return load_weights(copied(stolen), resolved(self.weights))
        with seeded(rng):
            other = untaught(stolen, "", 0)
        return train(other, thief, self._training, rng, progress)

    @property
    def _training(self) -> Training:
        return Training(epochs=self.epochs, rate=self.rate, flips=self.flips)
