"""Networks by name: built, filled with weights and told how to normalise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images
from ownmark.errors import ModelError, UsageError
from ownmark.models.named import build, draws_weights
from ownmark.models.prepared import prepared
from ownmark.models.weights import load_weights, unsaid


@dataclass(frozen=True)
class Network:
    """How a name becomes a module that takes images in [0, 1].

    `name`: module:factory, as in "mymodel:build(width=16)", or torchvision:resnet18; `classes`: how many numbers the module
    answers, None where its factory is not told; `output` names the one of its outputs that is meant, "" to find it.
    """

    name: str
    classes: int | None = None
    preprocess: Preprocess = Preprocess()
    device: torch.device = torch.device("cpu")
    output: str = ""

    def blank(self) -> nn.Module:
        """The module with weights as its factory leaves them."""
        return prepared(build(self.name, self.classes), self.preprocess, output=self.output).to(self.device)

    def answering(self, images: Images) -> "Network":
        """The network for the classes of these images."""
        return replace(self, classes=images.task.width(images.names))

    def loaded(self, weights: Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """The module with the weights in a file; without one, only if the factory itself brings weights.

        `note` hears in a sentence what of the file was not plainly there.
        """
        if weights is not None:
            try:
                return load_weights(self.blank(), weights, note)
            except ModelError as error:
                raise ModelError(
                    f"{error} (the model was built for {self.classes} classes)" if "size mismatch" in str(error) else str(error)
                ) from error
        if draws_weights(self.name, self.classes):
            raise UsageError(f"{self.name} draws other weights each time it is called: name the trained ones with --weights FILE")
        return self.blank()

    def filled(self, weights: nn.Module | Path | None, note: Callable[[str], None] = unsaid) -> nn.Module:
        """A module as it is, or the one with the weights in a file, as `loaded` gives it."""
        return weights if isinstance(weights, nn.Module) else self.loaded(weights, note)


def device(word: str) -> torch.device:
    """`auto` is the GPU if there is one."""
    if word not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"--device is one of auto, cpu, cuda; got {word!r}")
    if word == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no GPU here; leave --device out to compute on the CPU")
    return torch.device("cuda" if word != "cpu" and torch.cuda.is_available() else "cpu")
