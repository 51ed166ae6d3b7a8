"""Which tensors hold a hidden layer's neurons, and which weights read them: what may be permuted or rescaled without a trace.

A wire runs from a convolution or linear layer through normalisation, activations, pooling and depthwise convolutions to the
layers that read it. It is found by running the model on an image and following its values. A value that goes anywhere else, such
as into a sum, a product, an output or an unknown function, is not a wire: its layer stays as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError

LAYERS = {"linear", "conv2d"}
RECTIFIERS = {"relu", "relu_", "leaky_relu", "leaky_relu_"}  # a positive factor passes through them
POOLS = {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
SHAPES = {"flatten", "dropout", "dropout_", "contiguous"}
OTHERS = {"relu6", "hardtanh", "elu", "gelu", "silu", "hardswish", "mish", "sigmoid", "tanh", "softplus"}
NORM = ("input", "running_mean", "running_var", "weight", "bias")  # parameters of batch_norm, in torch's order
WEIGHTS = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
ASKS = {"dim", "size", "numel", "is_floating_point", "stride", "is_contiguous", "__get__", "__len__"}  # read no values


@dataclass
class Wire:
    """`rows`: tensors with one row per neuron; `scaled`: those that a factor multiplies, none if that changes the answers;
    `readers`: weights with one column per neuron, or several after flattening."""

    width: int
    rows: list[Tensor] = field(default_factory=list)
    scaled: list[Tensor] = field(default_factory=list)
    readers: list[Tensor] = field(default_factory=list)
    free: bool = True  # to be permuted
    rectified: bool = True

    def own(self, tensors: Iterable[Tensor | None], *, scaled: bool) -> None:
        """Adds what belongs to the neurons; `scaled` tensors replace earlier ones, before which no factor passes."""
        present = [tensor for tensor in tensors if tensor is not None]
        known = {id(tensor) for tensor in self.rows}
        self.free &= not known & {id(tensor) for tensor in present}  # a layer that runs twice
        self.rows += present
        if scaled:
            self.scaled = [tensor for tensor in present if isinstance(tensor, nn.Parameter)]


class _Tracer(TorchFunctionMode):
    """Follows every layer's values to where they are read."""

    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self._of: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
        self._seen: set[int] = set()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        name, given = getattr(func, "__name__", ""), dict(kwargs or {})
        taken = self._taken([*args, *given.values()])
        found = func(*args, **given)
        if not isinstance(found, Tensor) and (name in ASKS or not taken):
            return found
        wire = self._through(name, args, given, taken)
        if isinstance(found, Tensor) and wire is not None:
            self._of[found] = wire
        return found

    def _taken(self, values: Iterable[Any]) -> list[Wire]:
        """The wires among the arguments, also inside lists."""
        flat = [one for value in values for one in (value if isinstance(value, list | tuple) else [value])]
        wires = [self._of.get(one) for one in flat if isinstance(one, Tensor)]  # type: ignore[no-untyped-call]
        return [wire for wire in wires if wire is not None]

    def _through(self, name: str, args: tuple[Any, ...], given: dict[str, Any], taken: list[Wire]) -> Wire | None:
        """The wire that the function's result belongs to."""
        wire = taken[0] if len(taken) == 1 else None
        if name in LAYERS:
            return self._layer(dict(zip(WEIGHTS, args, strict=False)) | given, taken)
        if name in RECTIFIERS | POOLS | SHAPES | OTHERS and wire is not None:
            wire.rectified &= name not in OTHERS
            return wire
        if name == "prelu" and wire is not None:
            slope = args[1] if len(args) > 1 else given["weight"]
            if slope.numel() > 1:
                wire.own([slope], scaled=False)
            return wire
        if name == "batch_norm" and wire is not None:
            named = dict(zip(NORM, args, strict=False)) | given
            affine = named.get("weight") is not None
            wire.rectified &= affine
            wire.own([named.get(part) for part in NORM[1:]], scaled=affine)
            return wire
        for one in taken:
            one.free = False
        return None

    def _layer(self, named: dict[str, Any], taken: list[Wire]) -> Wire | None:
        """A new wire, or for a depthwise convolution the one that it takes in."""
        weight, bias = named["weight"], named.get("bias")
        wire = taken[0] if taken else None
        groups = named.get("groups", 1)
        if not isinstance(weight, nn.Parameter) or len(taken) > 1 or not 1 <= groups in {1, len(weight)}:
            for one in taken:
                one.free = False
            return None
        fresh = id(weight) not in self._seen
        self._seen.add(id(weight))
        if groups > 1:
            if wire is not None and wire.width == len(weight) and fresh:
                wire.own([weight, bias], scaled=bias is not None or not wire.scaled)
            elif wire is not None:
                wire.free = False
            return wire
        if wire is not None:
            wire.readers.append(weight)
            wire.free &= fresh and weight.shape[1] % wire.width == 0
        made = Wire(len(weight), free=fresh)
        made.own([weight, bias], scaled=True)
        self.wires.append(made)
        return made


@torch.no_grad()
def wires_of(model: nn.Module, images: Images) -> list[Wire]:
    """The wires of a model in eval mode, found by one of the images. Raises ModelError if there is none.

    A layer that runs twice, or whose neurons nobody reads, is none; `scaled` is empty where an activation is no rectifier.
    """
    if not len(images):
        raise DataError("expected at least one image to follow through the model, got none")
    tracer = _Tracer()
    with tracer:
        model(images.batch(torch.arange(1), next(model.parameters()).device))
    found = [wire for wire in tracer.wires if wire.free and wire.readers]
    if not found:
        raise ModelError("the model has no hidden layer whose neurons only other layers read, so none can be reordered")
    for wire in found:
        wire.scaled = wire.scaled if wire.rectified else []
    return found
