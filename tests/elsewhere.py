"""A device that is only pretended, so that a tensor on the wrong side is found where there is no GPU.

Inside of `pretended()`, tensors that are moved to `cuda`, or made there, are `Elsewhere`: they compute on the CPU, say that they
are on `cuda:0`, and raise what torch raises on a machine with a GPU wherever they meet a tensor that is on the CPU.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_flatten, tree_map_only

CPU, THERE = torch.device("cpu"), torch.device("cuda", 0)
ACROSS = {"aten.copy_", "aten._to_copy"}  # what takes tensors of two devices
TAKES_ROWS = {"aten.index", "aten.index_put", "aten.index_put_", "aten._index_put_impl_", "aten._unsafe_index"}
DRAWS = {"aten.normal_", "aten.uniform_", "aten.random_", "aten.bernoulli_", "aten.exponential_"}


class Elsewhere(Tensor):
    """A tensor that says it is on a GPU; `held` is what it holds, on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls: Any, held: Tensor) -> Any:
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            layout=held.layout,
            device=held.device,
            requires_grad=False,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: object, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        given = kwargs or {}
        check(func, args, given)
        plain_args, plain_kwargs = tree_map_only(Elsewhere, lambda one: one.held, (args, given))
        found = tree_map_only(Tensor, Elsewhere, func(*plain_args, **plain_kwargs))
        return return_and_correct_aliasing(func, args, given, found)  # type: ignore[no-untyped-call]

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return THERE

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    def numpy(self, *_: object, **__: object) -> Any:
        raise TypeError(
            "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first."
        )

    def __array__(self, *_: object, **__: object) -> Any:
        return self.numpy()

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Elsewhere({self.shape}, {self.dtype})"


def check(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises RuntimeError where torch would: of two devices, but for single numbers, rows that are asked for, and copies."""
    name = str(func.overloadpacket)
    if name in ACROSS:
        return
    if name in DRAWS and isinstance(kwargs.get("generator"), torch.Generator):
        raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
    if name in TAKES_ROWS:
        mixed = not isinstance(args[0], Elsewhere) and any(isinstance(one, Elsewhere) for one in tree_flatten(args[1:])[0])
        mixed |= len(args) > 2 and isinstance(args[0], Elsewhere) and _is_here(args[2])
    else:
        mixed = any(map(_is_here, tree_flatten((args, kwargs))[0]))
    if mixed:
        raise RuntimeError(
            f"{name}: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!"
        )


def _is_here(one: object) -> bool:
    return isinstance(one, Tensor) and not isinstance(one, Elsewhere) and one.ndim > 0


class _Go(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, here: Tensor) -> Any:
        return Elsewhere(here.detach().clone())

    @staticmethod
    def backward(_: Any, slope: Tensor) -> Any:
        return _Come.apply(slope)


class _Come(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, there: Elsewhere) -> Any:
        return there.held.clone()

    @staticmethod
    def backward(_: Any, slope: Tensor) -> Any:
        return _Go.apply(slope)


def moved(one: Tensor, device: torch.device) -> Tensor:
    """The same numbers there or here, in the same autograd graph."""
    if isinstance(one, Elsewhere) == (device.type == "cuda"):
        return one
    found: Tensor = (_Go if device.type == "cuda" else _Come).apply(one)
    return found


class _Pretending(TorchFunctionMode):
    """What names a device is taken apart here, since the tensors are on the CPU."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if func in INSTEAD:
            return INSTEAD[func](*args, **given)
        if func is torch.autograd.grad and given.pop("is_grads_batched", False):
            return one_by_one(*args, **given)
        if given.get("device") is None:
            return func(*args, **given)
        there = torch.device(given["device"]).type == "cuda"
        if there and isinstance(given.get("generator"), torch.Generator):
            raise RuntimeError("Expected a 'cuda' device type for generator but found 'cpu'")
        return moved(func(*args, **given | {"device": CPU}), THERE if there else CPU)


def one_by_one(outputs: Tensor, inputs: Tensor, grad_outputs: Tensor, **kwargs: Any) -> tuple[Tensor]:
    """Gradients that torch takes all at once, where a tensor of another kind cannot follow."""
    return (torch.stack([torch.autograd.grad(outputs, inputs, row, **kwargs)[0] for row in grad_outputs]),)


def to(one: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """`Tensor.to` in all its forms."""
    device, rest = kwargs.pop("device", None), list[Any]()
    for each in args:
        if isinstance(each, Tensor):
            device, rest = each.device, [each.dtype]
        elif isinstance(each, str | torch.device):
            device = each
        else:
            rest.append(each)
    kwargs.pop("non_blocking", None)
    going = one if device is None else moved(one, torch.device(device))
    kind = next((each for each in rest if isinstance(each, torch.dtype)), going.dtype)
    return going.to(kwargs.pop("dtype", None) or kind, **kwargs)


INSTEAD: dict[Callable[..., Any], Callable[..., Any]] = {
    Tensor.to: to,
    Tensor.cpu: lambda one, *_, **__: moved(one, CPU),
    Tensor.cuda: lambda one, *_, **__: moved(one, THERE),
    Tensor.pin_memory: lambda one, *_: one,
    Tensor.new_tensor: lambda one, *data, **kwargs: moved(held_by(one).new_tensor(*data, **kwargs), one.device),
}


def held_by(one: Tensor) -> Tensor:
    return one.held if isinstance(one, Elsewhere) else one


@contextmanager
def pretended() -> Iterator[torch.device]:
    """Inside, there seems to be a GPU: its device."""
    with pytest.MonkeyPatch.context() as patch, _Pretending():
        patch.setattr(torch.cuda, "mem_get_info", lambda *_: (2**36, 2**37))
        patch.setattr(torch.__future__, "get_overwrite_module_params_on_conversion", lambda: True)
        yield THERE
