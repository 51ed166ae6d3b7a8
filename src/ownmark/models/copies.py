"""The one place that copies a model, and that says which modules nothing here can work with."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode

from ownmark.errors import ModelError, blamed

Module = TypeVar("Module", bound=nn.Module)
WAY_OUT = "name the module that it was made from or, to ask it as it is, export it to ONNX and name the .onnx file"


class _Detached(TorchFunctionMode):
    """Inside, a tensor that a pass computed and the module kept is copied without its past; torch copies no such tensor.

    Such are the weights of the old `torch.nn.utils.weight_norm`, which every pass computes anew, and kept activations.
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
    """A copy that shares no tensor with `model`. Raises ModelError for a module that cannot be copied or worked with."""
    check_module(model)
    with blamed(ModelError, "the model cannot be copied, which everything here begins with"), _Detached():
        return deepcopy(model)


def check_module(model: nn.Module) -> None:
    """Raises ModelError for a module whose layers or whose mode nobody can reach: TorchScript, or a program of torch.export."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise ModelError(f"the model is TorchScript, which shows no layers and takes no hooks: {WAY_OUT}")
        if "train" in vars(module):  # replaced in this one module, as torch.export does
            raise ModelError(f"the model is a program of torch.export, which knows neither train nor eval mode: {WAY_OUT}")


def check_drawn(model: nn.Module) -> None:
    """Raises ModelError for a lazy layer whose weights have no shape yet."""
    tensors = (*model.named_parameters(), *model.named_buffers())
    lazy = next((name for name, tensor in tensors if is_lazy(tensor)), None)
    if lazy is not None:
        raise ModelError(
            f"{lazy} belongs to a lazy layer that has no weights yet: load trained ones, or let the model see an image "
            "before it is handed over"
        )
