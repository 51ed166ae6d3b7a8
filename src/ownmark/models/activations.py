"""Mean activations of the neurons of any network: a thief prunes by them, and a mark is trained to survive that.

A neuron is an output channel of a convolution, or an output of a linear layer, whose value reaches an activation directly or
through a normalisation. A sum before the activation, as at the end of a residual block, combines several layers and is not a
neuron. The last layer's neurons are its inputs.
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
WEIGHTS = ("input", "weight", "bias")  # parameters of a layer's function, in torch's order
NORMS = {
    "batch_norm": ("input", "running_mean", "running_var", "weight", "bias"),
    "group_norm": ("input", "num_groups", "weight", "bias"),
}


@dataclass
class Layer:
    """The tensors of a layer's neurons, one neuron per row, and sums over all images of absolute inputs and outputs."""

    weight: Tensor
    parts: dict[int, Tensor] = field(default_factory=dict)
    taken: Tensor | None = None
    excited: Tensor | None = None

    def own(self, *parts: Tensor | None) -> None:
        """Adds a batch to the sums; each layer runs once per batch."""
        self.parts |= {id(part): part for part in parts if part is not None}

    @property
    def axis(self) -> int:
        """The channel dimension: last after a linear layer, second after a convolution."""
        return -1 if self.weight.ndim == 2 else 1  # noqa: PLR2004 - linear: (..., channels)

    def size(self, values: Tensor) -> Tensor:
        """(channels,) mean absolute value of a batch, times its number of images."""
        others = [other for other in range(values.ndim) if other != self.axis % values.ndim]
        return values.abs().mean(others).double() * len(values)


class Listener(TorchFunctionMode):
    """Traces values from a layer through its normalisation to its activation, whether modules or functions."""

    def __init__(self) -> None:
        self.layers: dict[int, Layer] = {}
        self.last: Layer | None = None
        self._mixed = True  # whether the latest activation was of a sum of layers
        self._source: WeakTensorKeyDictionary = WeakTensorKeyDictionary()

    @property
    def found(self) -> bool:
        """Whether any hidden neuron was found."""
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
        """The layer whose values the function returns, possibly normalised or activated."""
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
                return None  # it does not map zero to zero
            source.own(given.get("running_mean"), given.get("weight"), given.get("bias"))
        return source


def listen(asking: Callable[[], object]) -> Listener:
    """The activations recorded while `asking` runs the model."""
    listener = Listener()
    with listener:
        asking()
    return listener


def masks(heard: Listener, fraction: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Masks of ones and zeros for each tensor of the silenced neurons; for the last layer, of its input weights."""
    for layer, neurons in _quietest(heard, fraction):
        last = layer is heard.last
        for part in [layer.weight] if last else layer.parts.values():
            yield part, torch.ones_like(part).index_fill_(1 if last else 0, neurons, 0)


@dataclass(frozen=True)
class Hush:
    """Zeroes channels of a layer's output or input, for a batch's images from `first` on."""

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
    """Inside the context, zeroes each layer's `fraction` of least-activated neurons for a batch's images from `first` on."""
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
    """Each layer with its least-activated neurons, ties in order; at least one neuron per layer is spared."""
    for layer in heard.layers.values():
        sizes = layer.taken if layer is heard.last else layer.excited
        if sizes is not None:
            yield layer, sizes.argsort(stable=True)[: min(round(fraction * len(sizes)), len(sizes) - 1)]
