"""A model that answers one tensor of ordinary precision, whatever it wraps it in: everything behind it sees (n, k) floats."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ownmark.errors import ModelError

LOGITS = "logits"  # what Hugging Face and torchvision call the output that counts
NARROW = {torch.float16, torch.bfloat16}
ENDINGS = {
    *(torch.softmax, Tensor.softmax, functional.softmax),
    *(torch.sigmoid, Tensor.sigmoid, functional.sigmoid),
}
TAKEN = {*NARROW, torch.float64}  # precisions of weights that images are brought to


class Ending(TorchFunctionMode):
    """While it is on, a last softmax or sigmoid is taken off a model's answer, and can be put back on.

    A map explains a logit. That of a probability is another one, and nothing at all where the model is sure; but a copy with a
    softmax behind it is the same copy.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Tensor, Tensor, Callable[[Tensor], Tensor]] | None = None
        self._off: Callable[[Tensor], Tensor] | None = None
        self._linear: Tensor | None = None
        self.linear = False  # whether the answer is what a linear layer put out

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> object:
        made = func(*args, **(kwargs or {}))
        if func in ENDINGS and args and isinstance(args[0], Tensor):
            self._last = made, args[0], lambda scores: func(scores, *args[1:], **(kwargs or {}))
        if func is functional.linear:
            self._linear = made
        return made

    @property
    def off(self) -> bool:
        """Whether something was taken off."""
        return self._off is not None

    def bare(self, answered: Tensor) -> Tensor:
        """What the ending was made of, if that is how the answer came about."""
        self.linear = self._linear is answered
        if self._last is None or self._last[0] is not answered:
            return answered
        self._off = self._last[2]
        return self._last[1]

    def ended(self, scores: Tensor) -> Tensor:
        """The answer as the model gives it."""
        return scores if self._off is None else self._off(scores)


class Precision:
    """A forward pre-hook: images as precise as the weights that they meet first, if these are not float32."""

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        kind = next((weight.dtype for weight in model.parameters() if weight.is_floating_point()), torch.float32)
        if kind not in TAKEN or not inputs or not isinstance(inputs[0], Tensor) or inputs[0].dtype == kind:
            return None
        return (inputs[0].to(kind), *inputs[1:])


class Plain:
    """A forward hook: the one tensor that counts, in float32 if it is less precise. `output`: its name, "" to find it.

    An object or a dictionary with `logits` gives those, a tuple its first tensor, and whatever holds a single tensor of one row
    per image gives that one. Raises ModelError where there are several, or none of that name; what holds none is left as it is.
    """

    def __init__(self, output: str = "") -> None:
        self.output = output
        self.told: tuple[str, ...] = ()  # what was read last, if there was something to choose
        self.ending: Ending | None = None

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...], answered: object) -> Tensor | None:
        found = answered if isinstance(answered, Tensor) and not self.output else self._chosen(answered, inputs)
        if isinstance(found, Tensor) and self.ending is not None:
            found = self.ending.bare(found)
        return found.float() if isinstance(found, Tensor) and found.dtype in NARROW else found

    def _chosen(self, answered: object, inputs: tuple[Any, ...]) -> Tensor | None:
        parts = _parts(answered)
        name = self.output or _name(answered, [name for name, part in parts.items() if _fits(part, inputs)])
        if not name:
            return None
        chosen = parts.get(name)
        if not isinstance(chosen, Tensor):
            known = ", ".join(name for name, part in parts.items() if isinstance(part, Tensor)) or "one, which has no name"
            raise ModelError(f"the model has no output {name!r}; its outputs are: {known}")
        self.told = (f"the output {name!r} was read, of {', '.join(parts)}",)
        return chosen


def plain(model: nn.Module, output: str = "") -> nn.Module:
    """`model` itself, with the hooks of this file; those that are there are kept, unless `output` names another one."""
    hook = _hook(model)
    if hook is None:
        model.register_forward_pre_hook(Precision())
        model.register_forward_hook(Plain(output))
    elif output:
        hook.output = output
    return model


@contextmanager
def unended(model: nn.Module) -> Iterator[Ending]:
    """Inside, a `plain` model answers without the softmax or sigmoid that it ends in."""
    ending, hook = Ending(), _hook(model)
    if hook is not None:
        hook.ending = ending
    try:
        with ending:
            yield ending
    finally:
        if hook is not None:
            hook.ending = None


def told(model: nn.Module) -> tuple[str, ...]:
    """Which of a model's outputs was read last, as a person says it; () where there was nothing to choose."""
    hook = _hook(model)
    return () if hook is None else hook.told


def _hook(model: nn.Module) -> Plain | None:
    return next((hook for hook in model._forward_hooks.values() if isinstance(hook, Plain)), None)  # noqa: SLF001


def _parts(answered: object) -> dict[str, object]:
    """What an answer is made of, by name; the parts of a tuple without names are counted from 0."""
    if isinstance(answered, Mapping):
        return {str(name): part for name, part in answered.items()}
    if isinstance(answered, Sequence) and not isinstance(answered, str):
        names = getattr(answered, "_fields", range(len(answered)))
        return {str(name): part for name, part in zip(names, answered, strict=True)}
    return {} if isinstance(answered, Tensor) else dict(getattr(answered, "__dict__", {}))


def _fits(part: object, inputs: tuple[Any, ...]) -> bool:
    """Whether it may be what a model answers to these images: floating-point numbers, (n,) or (n, k)."""
    count = len(inputs[0]) if inputs and isinstance(inputs[0], Tensor) else 0
    return isinstance(part, Tensor) and part.is_floating_point() and part.ndim in {1, 2} and len(part) == count


def _name(answered: object, fitting: list[str]) -> str:
    """Which of the fitting ones counts, "" if there is none. Raises ModelError where nothing tells."""
    if LOGITS in fitting:
        return LOGITS
    first = next(iter(_parts(answered)), "")
    if len(fitting) > 1 and not (isinstance(answered, tuple | list) and first in fitting):
        raise ModelError(f"the model has several outputs that may be meant, {', '.join(fitting)}: name one with --output NAME")
    return fitting[0] if fitting else ""
