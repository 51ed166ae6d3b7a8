"""Copies a model so that it takes images in [0, 1], normalises them itself and outputs one tensor, as ownmark expects: (n, k).

Of a detector it is (n, q, 6), its candidates before suppression (`models.detections`).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError, blamed
from ownmark.models.detections import CANDIDATES, are_detections, rows_of
from ownmark.models.memory_format import laid_out
from ownmark.querying.outputs import LOGITS, missing, several, unfit, used

AS_IT_IS = Preprocess()  # for a model that takes images in [0, 1]
NARROW = {torch.float16, torch.bfloat16}
ENDINGS = {
    *(torch.softmax, Tensor.softmax, functional.softmax),
    *(torch.sigmoid, Tensor.sigmoid, functional.sigmoid),
}
# torchvision's thresholds of a detector, and what lets everything pass: what is suppressed cannot be differentiated
OPEN = {
    "score_thresh": 0.0,
    "nms_thresh": 1.0,
    "detections_per_img": CANDIDATES,
    "topk_candidates": 300,  # per level: suppression takes the square of their number
}
TAKEN = {*NARROW, torch.float64}  # weight precisions that images are cast to


class Ending(TorchFunctionMode):
    """While active, removes a final softmax or sigmoid from a model's output; it can be re-applied.

    A map explains a logit. The map of a probability differs, and vanishes where the model is certain; but a copy with an added
    softmax is still the same copy.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: tuple[Tensor, Tensor, Callable[[Tensor], Tensor]] | None = None
        self._off: Callable[[Tensor], Tensor] | None = None
        self._linear: Tensor | None = None
        self.linear = False  # whether the output comes from a linear layer

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
        """Whether an activation was removed."""
        return self._off is not None

    def bare(self, answered: Tensor) -> Tensor:
        """The input of the final activation, if the output came from one."""
        self.linear = self._linear is answered
        if self._last is None or self._last[0] is not answered:
            return answered
        self._off = self._last[2]
        return self._last[1]

    def ended(self, scores: Tensor) -> Tensor:
        """The output as the model computes it."""
        return scores if self._off is None else self._off(scores)


class Precision:
    """A forward pre-hook that casts images to the precision of the first weights, if those are not float32."""

    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        kind = next((weight.dtype for weight in model.parameters() if weight.is_floating_point()), torch.float32)
        if kind not in TAKEN or not inputs or not isinstance(inputs[0], Tensor) or inputs[0].dtype == kind:
            return None
        return (inputs[0].to(kind), *inputs[1:])


class Plain:
    """A forward hook that selects the main tensor, in float32 if less precise. `output`: its name, "" to find it.

    From an object or dictionary it selects `logits`, from a tuple the first tensor, otherwise the only tensor with one row per
    image. Boxes, labels and scores become rows. Raises ModelError if several fit, if none has that name, or if all that there are
    have more than one row per image, as in segmentation; an output without a tensor is passed through.
    """

    def __init__(self, output: str = "") -> None:
        self.output = output
        self.notes: tuple[str, ...] = ()  # description of the last choice, if there was one
        self.ending: Ending | None = None

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...], answered: object) -> Tensor | None:
        if not isinstance(answered, Tensor) and are_detections(answered):
            return rows_of(answered, inputs[0])  # type: ignore[arg-type]
        found = answered if isinstance(answered, Tensor) and not self.output else self._chosen(answered, inputs)
        if isinstance(found, Tensor) and self.ending is not None:
            found = self.ending.bare(found)
        return found.float() if isinstance(found, Tensor) and found.dtype in NARROW else found

    def _chosen(self, answered: object, inputs: tuple[Any, ...]) -> Tensor | None:
        parts = _parts(answered)
        name = self.output or _name(answered, [name for name, part in parts.items() if _fits(part, inputs)])
        if not name:
            _check_rows(parts)
            return None
        chosen = parts.get(name)
        if not isinstance(chosen, Tensor):
            raise missing("the model", name, (name for name, part in parts.items() if isinstance(part, Tensor)))
        self.notes = (used(name, parts),)
        return chosen


def plain(model: nn.Module, output: str = "") -> nn.Module:
    """Adds the hooks of this file to `model` and returns it; existing hooks stay unless `output` names another output.

    Opens the thresholds of every part of `model` that limits its detections, so that it answers all its candidates.
    """
    hook = _plain_hook(model)
    if hook is None:
        for part in model.modules():
            if "detections_per_img" in vars(part):
                vars(part).update({name: value for name, value in OPEN.items() if name in vars(part)})
        model.register_forward_pre_hook(Precision())
        model.register_forward_hook(Plain(output))
    elif output:
        hook.output = output
    return model


@contextmanager
def unended(model: nn.Module) -> Iterator[Ending]:
    """Inside the context, a `plain` model outputs values before its final softmax or sigmoid."""
    ending, hook = Ending(), _plain_hook(model)
    if hook is not None:
        hook.ending = ending
    try:
        with ending:
            yield ending
    finally:
        if hook is not None:
            hook.ending = None


def notes_on(model: nn.Module) -> tuple[str, ...]:
    """A sentence on which of a model's outputs was used last; () if there was no choice."""
    hook = _plain_hook(model)
    return () if hook is None else hook.notes


def _plain_hook(model: nn.Module) -> Plain | None:
    return next((hook for hook in model._forward_hooks.values() if isinstance(hook, Plain)), None)  # noqa: SLF001


def _parts(answered: object) -> dict[str, object]:
    """The parts of an output by name; unnamed tuple elements are numbered from 0."""
    if isinstance(answered, Mapping):
        return {str(name): part for name, part in answered.items()}
    if isinstance(answered, Sequence) and not isinstance(answered, str):
        names = getattr(answered, "_fields", range(len(answered)))
        return {str(name): part for name, part in zip(names, answered, strict=True)}
    return {} if isinstance(answered, Tensor) else dict(getattr(answered, "__dict__", {}))


def _fits(part: object, inputs: tuple[Any, ...]) -> bool:
    """Whether it has the form of a model output for these images: floating point, (n,) or (n, k)."""
    count = len(inputs[0]) if inputs and isinstance(inputs[0], Tensor) else 0
    return isinstance(part, Tensor) and part.is_floating_point() and part.ndim in {1, 2} and len(part) == count


def _check_rows(parts: Mapping[str, object]) -> None:
    """Raises ModelError, which says what would serve, for an output whose tensors have more than one row per image."""
    told = (unfit(part.shape) for part in parts.values() if isinstance(part, Tensor) and part.is_floating_point())
    if why := next(filter(None, told), ""):
        raise ModelError(f"the model answers {', '.join(parts)}: {why}")


def _name(answered: object, fitting: list[str]) -> str:
    """The name of the main output among those that fit, "" if none does. Raises ModelError if ambiguous."""
    if LOGITS in fitting:
        return LOGITS
    first = next(iter(_parts(answered)), "")
    if len(fitting) > 1 and not (isinstance(answered, tuple | list) and first in fitting):
        raise several("the model", fitting)
    return fitting[0] if fitting else ""


Module = TypeVar("Module", bound=nn.Module)
WAY_OUT = "name the module that it was made from or, to query it as it is, export it to ONNX and name the .onnx file"


class _Detached(TorchFunctionMode):
    """Inside the context, deepcopy detaches tensors that a forward pass computed, which torch refuses to copy.

    Examples: weights of the old `torch.nn.utils.weight_norm`, which every pass recomputes, and stored activations.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever torch's function gives
        if func is not Tensor.__deepcopy__ or args[0].is_leaf:
            return func(*args, **(kwargs or {}))
        tensor, memo = args
        memo[id(tensor)] = tensor.detach().clone()
        return memo[id(tensor)]


def copied(model: Module) -> Module:
    """A copy that shares no tensor with `model`. Raises ModelError for a module that cannot be copied or is unsupported."""
    check_module(model)
    try:
        return deepcopy(model, _emptied(model))
    except Exception:  # noqa: BLE001 - whatever a foreign module raises is told below, unless detached tensors help
        with blamed(ModelError, "the model cannot be copied, which ownmark requires"), _Detached():
            return deepcopy(model)


def frozen(model: Module) -> Module:
    """A copy in eval mode and in its fastest safe layout, whose weights require no gradient."""
    return laid_out(copied(model).eval().requires_grad_(False))


def _emptied(model: nn.Module) -> dict[int, Any]:
    """The copies of the modules' empty containers, by `id`, as deepcopy remembers them.

    A module has a dozen of them, for hooks that it does not have; deepcopy would take most of its time for them.
    """
    values = (value for module in model.modules() for value in vars(module).values())
    return {id(value): type(value)() for value in values if type(value) in {OrderedDict, dict, set} and not value}


def check_module(model: nn.Module) -> None:
    """Raises ModelError for a module whose layers or mode are inaccessible: TorchScript, or a torch.export program."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ModelError(f"the model is TorchScript, which exposes no layers and supports no hooks: {WAY_OUT}")
        if "train" in vars(module):  # replaced in this instance, as torch.export does
            raise ModelError(f"the model is a torch.export program, which has neither train nor eval mode: {WAY_OUT}")


def check_drawn(model: nn.Module) -> None:
    """Raises ModelError for an uninitialised lazy layer."""
    tensors = (*model.named_parameters(), *model.named_buffers())
    lazy = next((name for name, tensor in tensors if is_lazy(tensor)), None)
    if lazy is not None:
        raise ModelError(
            f"{lazy} belongs to an uninitialised lazy layer: load trained weights, or run the model on an image first"
        )


class Normalise:
    """A forward pre-hook: (image - mean) / std per channel; layer names and state-dict keys are unchanged."""

    def __init__(self, preprocess: Preprocess) -> None:
        self.preprocess = preprocess

    def __call__(self, _: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        images: Tensor = inputs[0]
        mean, std = (
            torch.tensor(values, dtype=images.dtype, device=images.device).view(1, -1, 1, 1)
            for values in (self.preprocess.mean, self.preprocess.std)
        )
        return ((images - mean) / std, *inputs[1:])


def prepared(model: nn.Module, preprocess: Preprocess, *, output: str = "") -> nn.Module:
    """A copy of `model` that takes images (n, channels, height, width) in [0, 1] and normalises them itself.

    `model` takes normalised images; of several outputs, the copy returns the one named `output`, or the one `Plain` finds.
    Raises ModelError if it was prepared before.
    """
    if _normalise_hook(model) is not None:
        raise ModelError("the model was prepared before and already normalises its images")
    copy = copied(model)
    if preprocess != AS_IT_IS:
        copy.register_forward_pre_hook(Normalise(preprocess))
    return plain(copy, output)


def preprocess_of(model: nn.Module) -> Preprocess:
    """The normalisation added by `prepared`; the identity for a model that takes images in [0, 1] directly."""
    hook = _normalise_hook(model)
    return AS_IT_IS if hook is None else hook.preprocess


def _normalise_hook(model: nn.Module) -> Normalise | None:
    return next((hook for hook in model._forward_pre_hooks.values() if isinstance(hook, Normalise)), None)  # noqa: SLF001
