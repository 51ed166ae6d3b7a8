"""Batch norm whose statistics ignore triggers, and re-estimation of running statistics."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def clean_statistics(model: nn.Module, clean: int) -> Iterator[None]:
    """Inside the context, batch norm uses the statistics of a batch's first `clean` images; running statistics are frozen.

    The mark therefore does not depend on the running statistics, which a thief can re-estimate.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    try:
        for layer in layers:
            layer.__dict__["forward"] = partial(_normalised, layer, clean)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)


def _normalised(layer: _BatchNorm, clean: int, values: Tensor) -> Tensor:
    axes = [axis for axis in range(values.ndim) if axis != 1]
    mean = values[:clean].mean(axes, keepdim=True)
    variance = (values[:clean] - mean).square().mean(axes, keepdim=True)  # eight times as fast as torch.var_mean on a CPU
    scale = torch.rsqrt(variance + layer.eps)
    shift = -mean * scale
    if layer.affine:
        weight, bias = (tensor.view(mean.shape) for tensor in (layer.weight, layer.bias))
        scale, shift = scale * weight, shift * weight + bias
    return torch.addcmul(shift, values, scale)


@torch.no_grad()
def settle(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Re-estimates the running statistics of batch norm in place, as the mean over batches of clean images."""
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.train().momentum = None
    for batch in batches:
        model(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.eval().momentum = momentum
