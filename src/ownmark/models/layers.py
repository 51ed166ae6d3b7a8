"""Finding, opening and re-drawing the layers of any model: everything, or the last layer alone."""

from collections.abc import Callable
from enum import StrEnum

from torch import nn

from ownmark.errors import ModelError


class Layers(StrEnum):
    """`ALL` layers, or only the `LAST` one that has weights."""

    ALL = "all"
    LAST = "last"

    def __repr__(self) -> str:
        """As it is written in code, so that the repr of a method can be read back."""
        return f"{type(self).__name__}.{self.name}"


def last_layer(model: nn.Module) -> nn.Module:
    """The last linear or convolutional layer, in the order in which the model registers them."""
    found = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not found:
        raise ModelError("the model has no linear or convolutional layer to change")
    return found[-1]


def open_layers(model: nn.Module, layers: Layers) -> None:
    """Let only the chosen layers be trained."""
    model.requires_grad_(layers is Layers.ALL)
    last_layer(model).requires_grad_(True)


def reinitialise(module: nn.Module) -> None:
    """Draw the module's own and its children's weights anew, as their constructors would.

    Raises ModelError, before anything is drawn, for a weight that its module does not know how to draw.
    """
    parts = list(module.modules())
    stuck = [part for part in parts if _reset_of(part) is None and list(part.parameters(recurse=False))]
    if stuck:
        names = ", ".join(name for name, _ in stuck[0].named_parameters(recurse=False))
        raise ModelError(f"{type(stuck[0]).__name__} has no reset_parameters, so that {names} cannot be drawn anew")
    for part in parts:
        reset = _reset_of(part)
        if reset is not None:
            reset()


def _reset_of(part: nn.Module) -> Callable[[], object] | None:
    """What draws the module's own weights anew; torch's attention calls it by a private name."""
    reset: Callable[[], object] | None = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    return reset
