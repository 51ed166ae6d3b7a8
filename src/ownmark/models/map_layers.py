"""The layer whose output is a network's last map: behind its last convolution, or before its last attention.

A network that answers from a class token gives its patch tokens no gradient behind the last attention, so that the map of a
transformer is the last attention's input: in most networks what the normalisation before it returns.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ownmark.errors import ModelError

ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward", "_native_multi_head_attention"}
SPATIAL, TOKENS = 4, 3  # dimensions of a feature map and of a sequence of tokens


@dataclass(frozen=True)
class Output:
    """What a module returned: its name, whether it is a convolution, the shape, and whether the module has no parts."""

    name: str
    convolves: bool
    shape: torch.Size
    leaf: bool = True

    @property
    def placed(self) -> bool:
        """Whether it has more than one position: the gate of squeeze-and-excitation does not."""
        return self.shape[2:].numel() > 1


@dataclass
class Trace:
    """The outputs of a model's modules in the order in which they finished, and how many there were before each attention.

    `inputs`: for each attention, the outputs that may be its input, the last one last: those of modules outside of it.
    """

    batch: int
    outputs: list[Output] = field(default_factory=list)
    inputs: list[tuple[int, list[Output]]] = field(default_factory=list)
    running: list[tuple[str, bool]] = field(default_factory=list)  # names, and whether they have parts of their own

    def attend(self) -> None:
        """Notes an attention, which is computed by the innermost running module that has parts."""
        inside = next((f"{name}." for name, has_parts in reversed(self.running) if has_parts), "")
        outside = [one for one in self.outputs if not inside or not one.name.startswith(inside)]
        self.inputs.append((len(self.outputs), [one for one in outside if one.shape[0] == self.batch]))


class Listener(TorchFunctionMode):
    """Tells the trace of every attention. Softmax counts over more dimensions than those of classes, as written out by hand."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        name = getattr(func, "__name__", "")
        if name in ATTENTION or (name == "softmax" and args and isinstance(args[0], Tensor) and args[0].ndim >= TOKENS):
            self.trace.attend()
        return func(*args, **dict(kwargs or {}))


def last_map(model: nn.Module, example: Tensor) -> str:
    """Name of the module whose output is the model's last map for `example` (n, channels, height, width).

    Behind the last convolution it is the last module in the unbroken run of modules that output its height and width: the input
    of global pooling. The run includes normalisation, the sum with a shortcut, concatenated branches and the ReLU, also where
    channels lie last for a while as in ConvNeXt, but not pooling. A convolution on a single position counts only if there is no
    other. If an attention follows, it is the last module that finished before an attention over all positions. Raises ModelError
    for a model that has neither.
    """
    trace = traced(model, example)
    convolutions = [(one.placed, place) for place, one in enumerate(trace.outputs) if one.convolves]
    last = max(convolutions)[1] if convolutions else -1
    for count, inputs in reversed(trace.inputs):
        if count > last and inputs and _covers(inputs[-1], trace.inputs[0][1]):
            return inputs[-1].name
        if count <= last:
            break
    if not convolutions:
        raise ModelError(
            "the model runs neither nn.Conv2d nor attention, so it has no Grad-CAM; name a layer that outputs (n, channels, h, w)"
        )
    size = trace.outputs[last].shape[2:]
    run = takewhile(lambda one: len(one.shape) == SPATIAL and size in {one.shape[2:], one.shape[1:3]}, trace.outputs[last:])
    return list(run)[-1].name


def backbone_map(model: nn.Module, example: Tensor) -> str:
    """Name of the last map of a detector's backbone that all of its detections depend on; without a backbone, of `last_map`.

    That is the last one in front of a feature pyramid, whose top reaches every level. Without a pyramid each level sees the ones
    before it alone, so that it is the last map as large as the first level. Raises ModelError.
    """
    name = next((name for name, _ in model.named_modules() if name.rpartition(".")[2] == BACKBONE), "")
    if not name:
        return last_map(model, example)
    backbone, sizes = model.get_submodule(name), list[int]()
    handle = backbone.register_forward_hook(lambda _, __, output: sizes.extend(map(_positions, _levels(output))))
    try:
        outputs = traced(model, example).outputs
    finally:
        handle.remove()
    pyramids = tuple(f"{name}.{inner}." for inner, part in backbone.named_modules() if type(part).__name__ == PYRAMID)
    inside = [one for one in outputs if one.name.startswith(f"{name}.") and not f"{one.name}.".startswith(pyramids or " ")]
    maps = [one for one in inside if len(one.shape) == SPATIAL and one.placed]
    fitting = maps if pyramids else [one for one in maps if one.shape[2:].numel() == max(sizes, default=0)]
    if not fitting:
        raise ModelError("the detector's backbone has no map that reaches all detections; name a layer of (n, channels, h, w)")
    return fitting[-1].name


BACKBONE, PYRAMID = "backbone", "FeaturePyramidNetwork"  # as torchvision names them


def _levels(output: object) -> list[Tensor]:
    """The maps that a backbone hands to the heads, whether one or several."""
    found = output.values() if isinstance(output, Mapping) else output if isinstance(output, list | tuple) else [output]
    return [one for one in found if isinstance(one, Tensor)]


def _positions(level: Tensor) -> int:
    return level.shape[2:].numel()


def _covers(last: Output, first: list[Output]) -> bool:
    """Whether an attention's input has no more tokens than the first attention's: a class token may join later."""
    return len(last.shape) != TOKENS or not first or len(first[-1].shape) != TOKENS or last.shape[1] <= first[-1].shape[1]


def attended(model: nn.Module, *examples: Tensor) -> list[Tensor]:
    """The input of the model's first attention for each of the examples, which are alike in shape; empty if it has none."""
    inputs = [inputs[-1].name for _, inputs in traced(model, examples[0]).inputs if inputs]
    if not inputs:
        return []
    seen: list[Tensor] = []
    handle = model.get_submodule(inputs[0]).register_forward_hook(lambda _, __, output: seen.append(output.clone()))
    try:
        for example in examples:
            model(example)
    finally:
        handle.remove()
    return seen


@torch.no_grad()
def traced(model: nn.Module, example: Tensor) -> Trace:
    """The trace of one run."""
    trace = Trace(len(example))
    with _hooked(model, trace), Listener(trace):
        model(example)
    return trace


@contextmanager
def _hooked(model: nn.Module, trace: Trace) -> Iterator[None]:
    handles: list[RemovableHandle] = []

    def watch(name: str, module: nn.Module) -> None:
        has_parts, convolves = next(module.children(), None) is not None, isinstance(module, nn.Conv2d)

        def begun(_: nn.Module, __: object) -> None:
            trace.running.append((name, has_parts))

        def done(_: nn.Module, __: object, output: object) -> None:
            trace.running.pop()
            if isinstance(output, Tensor):
                trace.outputs.append(Output(name, convolves, output.shape, not has_parts))

        handles.extend((module.register_forward_pre_hook(begun), module.register_forward_hook(done)))

    try:
        for name, module in model.named_modules():
            if name:
                watch(name, module)
        yield
    finally:
        for handle in handles:
            handle.remove()
