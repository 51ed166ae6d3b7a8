"""Copies models, and rejects modules that ownmark cannot work with."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ownmark.errors import ModelError, blamed

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
    with blamed(ModelError, "the model cannot be copied, which ownmark requires"), _Detached():
        return deepcopy(model)


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
