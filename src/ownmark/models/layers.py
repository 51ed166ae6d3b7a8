"""Finding, opening, silencing and re-drawing the layers of any model: everything, or the last layer alone."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ownmark.errors import ModelError
from ownmark.method_strings import Choice
from ownmark.models.copies import copied
from ownmark.models.named import build
from ownmark.models.prepared import prepared, preprocess_of


class Layers(Choice):
    """`ALL` layers, or only the `LAST` one that has weights."""

    ALL = "all"
    LAST = "last"


def last_layer(model: nn.Module) -> nn.Module:
    """The last linear or convolutional layer, in the order in which the model registers them."""
    found = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not found:
        raise ModelError("the model has no linear or convolutional layer to change")
    return found[-1]


def check_own_weights(model: nn.Module) -> None:
    """Raises ModelError for a layer whose weight every pass computes anew, so that a change of it would not last."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and not isinstance(layer.weight, nn.Parameter):
            raise ModelError(
                f"the weight of layer {name or 'of the model'} is computed from others in every pass, as by weight_norm, so that "
                "it cannot be changed itself: fold them first, e.g. by torch.nn.utils.remove_weight_norm"
            )


def namesake(model: nn.Module, layer: str) -> str | None:
    """The layer whose name ends as that of another model does, as `backbone.features` and `features`; None if none is nearest."""
    names = [name for name, _ in model.named_modules() if name]
    outer = [name for name in names if name.endswith(f".{layer}")]
    inner = [name for name in names if layer.endswith(f".{name}") and not name.isdecimal()]
    depths = [name.count(".") for name in outer]
    nearest = [name for name in outer if name.count(".") == min(depths)]
    return nearest[0] if len(nearest) == 1 else max(inner, key=len, default=None)


def open_layers(model: nn.Module, layers: Layers) -> None:
    """Let only the chosen layers be trained."""
    model.requires_grad_(layers is Layers.ALL)
    last_layer(model).requires_grad_(True)


@contextmanager
def held_at_zero(masks: Iterable[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Multiply each tensor by its mask of ones and zeros; what became zero stays so, inside, under gradient descent."""
    known = list(masks)
    with torch.no_grad():
        for tensor, mask in known:
            tensor.mul_(mask)
    learnt = [(tensor, mask) for tensor, mask in known if tensor.requires_grad]
    hooks = [tensor.register_hook(partial(torch.mul, mask)) for tensor, mask in learnt]  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def untaught(model: nn.Module, name: str, classes: int) -> nn.Module:
    """A network that knows nothing of `model`, on its device: of its architecture, or of that of a name (`models.named`).

    A named one has the weights that its factory gives, and takes its images as `model` does.
    """
    if not name:
        student = copied(model).requires_grad_(True)
        reinitialise(student)
        return student
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    return prepared(build(name, classes), preprocess_of(model)).requires_grad_(True).to(device)


def reinitialise(module: nn.Module) -> None:
    """Draw the module's own and its children's weights anew, as their constructors would: what holds others has the last word.

    Raises ModelError, before anything is drawn, for a weight that its module does not know how to draw.
    """
    parts = list(module.modules())
    stuck = [part for part in parts if _reset_of(part) is None and list(part.parameters(recurse=False))]
    if stuck:
        names = ", ".join(name for name, _ in stuck[0].named_parameters(recurse=False))
        raise ModelError(f"{type(stuck[0]).__name__} has no reset_parameters, so that {names} cannot be drawn anew")
    for part in sorted(parts, key=lambda part: sum(1 for _ in part.modules())):
        reset = _reset_of(part)
        if reset is not None:
            reset()


def _reset_of(part: nn.Module) -> Callable[[], object] | None:
    """What draws the module's own weights anew; torch's attention calls it by a private name."""
    reset: Callable[[], object] | None = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    return reset
