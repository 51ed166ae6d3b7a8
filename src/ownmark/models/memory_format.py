"""Memory layout of tensors: decides where channels-last, which is faster, is safe.

On a CPU, torch's convolutions write out of bounds for one class of layers: a 1x1 kernel with a stride above 1 that reads
fewer channels than a SIMD vector holds numbers (8 with AVX2, 16 with AVX-512), trained in channels-last layout (torch 2.14.1
with oneDNN 3.12.0; measurements in `docs/decisions/0013-memory-format.md`). In the plain layout no such write was found.
A model is therefore channels-last only if that makes it faster and no layer belongs to that class:

- every convolution is an `nn.Conv2d`, and there is at least one;
- no strided 1x1 kernel reads fewer than `VECTOR` channels, whatever the machine's vector width, so that a model has the same
  layout everywhere;
- every four-dimensional weight belongs to a convolution, since the effect on a custom module is unknown.

The layout propagates from the images through every layer, so images are always plain: a model with channels-last weights
converts them itself, and a plain model stays plain.
"""

from itertools import chain
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Module = TypeVar("Module", bound=nn.Module)
VECTOR = 16  # 32-bit numbers in the widest SIMD vector that torch has kernels for
IMAGES = 4  # dimensions of a batch of images and of a convolution's weights


def memory_format_of(model: nn.Module) -> torch.memory_format:
    """The fastest safe layout for the model."""
    convolutions = [module for module in model.modules() if isinstance(module, _ConvNd)]
    safe = all(_is_safe(convolution) for convolution in convolutions) and not _has_foreign_weights(model)
    return torch.channels_last if convolutions and safe else torch.contiguous_format


def laid_out(model: Module) -> Module:
    """Converts the model in place to its fastest safe layout; values are unchanged."""
    return model.to(memory_format=memory_format_of(model))


def laid_plain(model: nn.Module) -> nn.Module:
    """Converts the model in place to the plain layout, for code that requires it; values are unchanged."""
    return model.to(memory_format=torch.contiguous_format)


def plain_copy(tensor: Tensor) -> Tensor:
    """A detached copy on the CPU in the plain layout, as files store tensors."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _is_safe(convolution: _ConvNd) -> bool:
    if not isinstance(convolution, nn.Conv2d):
        return False
    points = max(convolution.kernel_size) == 1 and max(convolution.stride) > 1
    read = convolution.in_channels // convolution.groups  # 0 for an uninitialised lazy layer
    return read > 0 and not (points and read < VECTOR)


def _has_foreign_weights(model: nn.Module) -> bool:
    """Whether a module other than a convolution has four-dimensional weights."""
    others = (module for module in model.modules() if not isinstance(module, _ConvNd))
    tensors = chain.from_iterable(module.parameters(recurse=False) for module in others)
    return any(tensor.ndim >= IMAGES for tensor in tensors)
