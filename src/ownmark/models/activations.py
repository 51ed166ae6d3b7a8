"""The neurons of any network, and how much images excite them: by these a thief prunes, and a mark is trained to outlast it.

A neuron is an output channel of a convolution, or an output of a linear layer, whose value goes through an activation straight
or behind a normalisation. What is added up before its activation, as at the end of a residual block, is the work of several
layers and no neuron of one. The last layer's neurons are what it takes in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

LAYERS = {"linear", "conv1d", "conv2d", "conv3d"}
ACTIVATIONS = {
    "relu",
    "relu_",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "leaky_relu_",
    "elu",
    "gelu",
    "silu",
    "hardswish",
    "mish",
    "prelu",
}
WEIGHTS = ("input", "weight", "bias")  # what a layer is called with, in torch's order
NORMS = {
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias"),
    "group_norm": ("input", "num_groups", "weight", "bias"),
}


@dataclass
class Layer:
    """What makes a layer's neurons, one a row, and the sums over all images of what they take in and put out, in size."""

    weight: Tensor
    parts: dict[int, Tensor] = field(default_factory=dict)
    taken: Tensor | None = None
    excited: Tensor | None = None

    def own(self, *parts: Tensor | None) -> None:
        """Count these to the neurons; a layer is met once a batch."""
        self.parts |= {id(part): part for part in parts if part is not None}

    @property
    def axis(self) -> int:
        """Where the channels lie: last behind a linear layer, second behind a convolution."""
        return -1 if self.weight.ndim == 2 else 1  # noqa: PLR2004 - linear: (..., channels)

    def size(self, values: Tensor) -> Tensor:
        """(channels,) the mean size of a batch's values, times its images."""
        others = [other for other in range(values.ndim) if other != self.axis % values.ndim]
        return values.abs().mean(others).double() * len(values)


class Listener(TorchFunctionMode):
    """Follows values from a layer through its normalisation to its activation, be they modules or functions."""

    def __init__(self) -> None:
        self.layers: dict[int, Layer] = {}
        self.last: Layer | None = None
        self._mixed = True  # whether the newest activation was of something that is not one layer's own
        self._source: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @property
    def found(self) -> bool:
        """Whether a hidden neuron was heard."""
        return self.last is not None and any(layer.excited is not None for layer in self.layers.values())

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        name, given = getattr(func, "__name__", ""), dict(kwargs or {})
        named = dict(zip(NORMS.get(name, WEIGHTS), args, strict=False)) | given
        layer = self._layer(name, named)
        found = func(*args, **given)
        if name in ACTIVATIONS:
            self._mixed = layer is None
            if layer is not None:
                layer.excited = layer.size(found) + (0 if layer.excited is None else layer.excited)
        if isinstance(found, Tensor):
            self._source[found] = layer
        return found

    def _layer(self, name: str, given: Mapping[str, Any]) -> Layer | None:
        """Whose values the function gives: a layer's, or those of the layer that it normalises or activates."""
        if name in LAYERS and isinstance(given["weight"], nn.Parameter):
            layer = self.layers.setdefault(id(given["weight"]), Layer(given["weight"]))
            layer.own(given["weight"], given.get("bias"))
            if self._mixed:
                layer.taken = layer.size(given["input"]) + (0 if layer.taken is None else layer.taken)
            self.last = layer
            return layer
        if name not in ACTIVATIONS | NORMS.keys():
            return None
        source: Layer | None = self._source.get(given["input"])  # type: ignore[no-untyped-call]
        if source is not None and name in NORMS:
            if name == "group_norm" and given.get("weight") is None:
                return None  # it would not leave a zero a zero
            source.own(given.get("running_mean"), given.get("weight"), given.get("bias"))
        return source


def listen(asking: Callable[[], object]) -> Listener:
    """What a listener hears while `asking` asks a model."""
    listener = Listener()
    with listener:
        asking()
    return listener


def masks(heard: Listener, fraction: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Each tensor that the silent neurons are made of, with ones and zeros; for the last layer, what it takes in."""
    for layer, neurons in _quietest(heard, fraction):
        last = layer is heard.last
        for part in [layer.weight] if last else layer.parts.values():
            yield part, torch.ones_like(part).index_fill_(1 if last else 0, neurons, 0)


@dataclass(frozen=True)
class Hush:
    """Sets channels to zero for a batch's images from `first` on: where a layer puts them out, or takes them in."""

    axis: int
    channels: Tensor
    first: int

    def output(self, module: nn.Module, taken: tuple[Tensor], given: Tensor) -> None:  # noqa: ARG002 - a forward hook
        """In place."""
        given[self.first :].index_fill_(self.axis, self.channels, 0)

    def input(self, module: nn.Module, taken: tuple[Tensor]) -> tuple[Tensor]:  # noqa: ARG002 - a forward hook
        """A copy."""
        changed = taken[0].clone()
        changed[self.first :].index_fill_(self.axis, self.channels, 0)
        return (changed,)


@contextmanager
def hushed(model: nn.Module, heard: Listener, fraction: float, first: int) -> Iterator[None]:
    """Inside, the `fraction` of each layer's neurons that were excited least are silent, for a batch's images from `first` on."""
    owners = {id(part): module for module in model.modules() for part in module.parameters(recurse=False)}
    with ExitStack() as hooks:
        for layer, neurons in _quietest(heard, fraction) if heard.found else ():
            hush = Hush(layer.axis, neurons, first)
            for module in {owners[part] for part in layer.parts if part in owners}:
                last = layer is heard.last
                hook = module.register_forward_pre_hook(hush.input) if last else module.register_forward_hook(hush.output)
                hooks.callback(hook.remove)
        yield


def _quietest(heard: Listener, fraction: float) -> Iterator[tuple[Layer, Tensor]]:
    """Each layer and its neurons that were excited least, the first of equals first; one at least is not among them."""
    for layer in heard.layers.values():
        sizes = layer.taken if layer is heard.last else layer.excited
        if sizes is not None:
            yield layer, sizes.argsort(stable=True)[: min(round(fraction * len(sizes)), len(sizes) - 1)]
