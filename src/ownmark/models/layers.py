"""Finds, unfreezes, masks and re-initialises the layers of any model: all of them, or only the last."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from ownmark.errors import ModelError
from ownmark.method_strings import Choice
from ownmark.models.network import build
from ownmark.models.prepared import copied, prepared, preprocess_of


class Layers(Choice):
    """`ALL` layers, or only the `LAST` one with weights."""

    ALL = "all"
    LAST = "last"


def last_layer(model: nn.Module) -> nn.Module:
    """The last linear or convolutional layer, in registration order."""
    found = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    if not found:
        raise ModelError("the model has no linear or convolutional layer to change")
    return found[-1]


def check_own_weights(model: nn.Module) -> None:
    """Raises ModelError for a layer whose weight is recomputed on every pass, since a change to it would be lost."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and not isinstance(layer.weight, nn.Parameter):
            raise ModelError(
                f"the weight of layer {name or 'of the model'} is recomputed on every pass, as with weight_norm, so "
                "it cannot be changed directly: fold it first, e.g. with torch.nn.utils.remove_weight_norm"
            )


def namesake(model: nn.Module, layer: str) -> str | None:
    """The layer whose name has the same ending (`backbone.features` for `features`), or None if there is no unique best one."""
    names = [name for name, _ in model.named_modules() if name]
    outer = [name for name in names if name.endswith(f".{layer}")]
    inner = [name for name in names if layer.endswith(f".{name}") and not name.isdecimal()]
    depths = [name.count(".") for name in outer]
    nearest = [name for name in outer if name.count(".") == min(depths)]
    return nearest[0] if len(nearest) == 1 else max(inner, key=len, default=None)


def open_layers(model: nn.Module, layers: Layers) -> None:
    """Makes only the chosen layers trainable."""
    model.requires_grad_(layers is Layers.ALL)
    for layer in answering_layers(model):
        layer.requires_grad_(True)


CLASSES, PLACES = ("cls_logits", "cls_score"), ("bbox_reg", "bbox_ctrness", "bbox_pred")  # as torchvision names last layers
PRIOR = 0.01  # a first score
CLASS_LEVELS, PLACE_LEVELS = "classification_head.module_list", "regression_head.module_list"  # of an SSD, a layer per level


def answering_layers(model: nn.Module) -> list[nn.Module]:
    """The last layer or, of a detector as torchvision builds them, those that tell classes."""
    return _named(model, CLASSES, (CLASS_LEVELS,)) or [last_layer(model)]


def reset_answers(model: nn.Module) -> None:
    """Re-initialises the layers that tell classes; a detector's start unsure of everything, as torchvision has it for focal loss.

    Otherwise the many places without an object outweigh the objects in the first steps (Lin et al. 2017, section 4.1).
    """
    for layer in answering_layers(model):
        reinitialise(layer)
    _unsure(model)


def _unsure(model: nn.Module) -> None:
    for name, layer in model.named_modules():
        if name.rpartition(".")[2] == CLASSES[0] and isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.constant_(layer.bias, math.log(PRIOR / (1 - PRIOR)))


def last_layers(model: nn.Module) -> list[nn.Module]:
    """The last layer or, of a detector, those that tell classes and those that tell boxes."""
    found = _named(model, (*CLASSES, *PLACES), (CLASS_LEVELS, PLACE_LEVELS))
    return found if _named(model, CLASSES, (CLASS_LEVELS,)) else [last_layer(model)]


def _named(model: nn.Module, words: tuple[str, ...], levels: tuple[str, ...]) -> list[nn.Module]:
    """The last layers of the parts of these names, and of each part inside of a list of levels."""
    parts = [(name.rpartition("."), part) for name, part in model.named_modules()]
    return [last_layer(part) for (place, _, word), part in parts if word in words or place.endswith(levels)]


@contextmanager
def held_at_zero(masks: Iterable[tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Multiplies each tensor by its mask of ones and zeros; inside the context, gradient descent leaves the zeros unchanged."""
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
    """A new network on the device of `model`: re-initialised with its architecture, or built from a name (`models.network`).

    A named network has the weights that its factory gives it, and takes the same images as `model`.
    """
    if not name:
        student = copied(model).requires_grad_(True)
        reinitialise(student)
        _unsure(student)
        return student
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    return prepared(build(name, classes), preprocess_of(model)).requires_grad_(True).to(device)


def reinitialise(module: nn.Module) -> None:
    """Re-initialises the weights of the module and its children as their constructors would; parents come last.

    They are drawn on the CPU, so that a start is the same on every device. Raises ModelError, before any change, for a weight
    whose module cannot re-initialise it.
    """
    parts = list(module.modules())
    stuck = [part for part in parts if _reset_of(part) is None and list(part.parameters(recurse=False))]
    if stuck:
        names = ", ".join(name for name, _ in stuck[0].named_parameters(recurse=False))
        raise ModelError(f"{type(stuck[0]).__name__} has no reset_parameters, so {names} cannot be re-initialised")
    device = next((weight.device for weight in module.parameters()), torch.device("cpu"))
    if device.type != "cpu":
        module.cpu()
    for part in sorted(parts, key=lambda part: sum(1 for _ in part.modules())):
        reset = _reset_of(part)
        if reset is not None:
            reset()
    if device.type != "cpu":
        module.to(device)


def _reset_of(part: nn.Module) -> Callable[[], object] | None:
    """The method that re-initialises the module's own weights; torch's attention gives it a private name."""
    reset: Callable[[], object] | None = getattr(part, "reset_parameters", None) or getattr(part, "_reset_parameters", None)
    return reset
