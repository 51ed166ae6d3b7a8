"""torch's stochastic gradient descent without its compiler, which torch loads for every optimiser: a second per process.

Torch wraps an optimiser's methods so that its compiler leaves them alone, and loads the compiler to do so. Here the methods
within are called, which compute the same numbers.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.optim import SGD, Optimizer


def _within(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method that a wrapper was made of; the method itself where it is not wrapped."""
    within: Callable[..., Any] = getattr(method, "__wrapped__", method)
    return within


_add, _zero, _step = _within(Optimizer.add_param_group), _within(Optimizer.zero_grad), _within(SGD.step)


class PlainSGD(SGD):
    """`torch.optim.SGD`, bit for bit, for code that is not compiled."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        _add(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: FBT001, FBT002 - torch's signature
        _zero(self, set_to_none)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:  # noqa: ANN401 - as torch has it
        return _step(self, closure)
