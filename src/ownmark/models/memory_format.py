"""How tensors lie in memory: the one place that says when channels lie last, which is faster, and when it is safe to do so.

On a processor, torch's convolutions write beyond their memory in one class of layers: a 1x1 kernel with a stride above 1 that
reads fewer channels than a vector of the processor holds numbers (8 with AVX2, 16 with AVX-512), trained while channels lie
last (torch 2.14.1 with oneDNN 3.12.0; `docs/decisions/0013-memory-format.md` has what was measured). In the plain layout no
such write was found. So channels lie last where they make a network faster and no layer is of that class:

- every convolution is an `nn.Conv2d`, and there is one at least;
- no 1x1 kernel with a stride reads fewer than `VECTOR` channels, whichever vectors the machine at hand has, so that a model is
  laid out alike everywhere;
- every weight of four dimensions is a convolution's own, since nobody can tell what a module of its own does with one.

The layout goes from the images through every layer, so images are always plain: a model whose weights have their channels
last turns them over by itself, and a plain one stays plain.
"""

from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

VECTOR = 16  # numbers of 32 bits in the widest vector of any processor that torch has kernels for
IMAGES = 4  # dimensions of a batch of images, and of the weights of what convolves them


def memory_format_of(model: nn.Module) -> torch.memory_format:
    """The layout in which the model is safe and, among those, fastest."""
    convolutions = [module for module in model.modules() if isinstance(module, _ConvNd)]
    safe = all(_is_safe(convolution) for convolution in convolutions) and not _has_foreign_weights(model)
    return torch.channels_last if convolutions and safe else torch.contiguous_format


def laid_out(model: nn.Module) -> nn.Module:
    """The same model, its weights now in the layout that it is safe and fastest in; its values stay."""
    return model.to(memory_format=memory_format_of(model))


def laid_plain(model: nn.Module) -> nn.Module:
    """The same model in the plain layout, for what takes no other; its values stay."""
    return model.to(memory_format=torch.contiguous_format)


def plain_copy(tensor: Tensor) -> Tensor:
    """A copy on the CPU, without gradient, in the plain layout, as files hold tensors."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _is_safe(convolution: _ConvNd) -> bool:
    if not isinstance(convolution, nn.Conv2d):
        return False
    points = max(convolution.kernel_size) == 1 and max(convolution.stride) > 1
    read = convolution.in_channels // convolution.groups  # 0 as long as a lazy layer does not know
    return read > 0 and not (points and read < VECTOR)


def _has_foreign_weights(model: nn.Module) -> bool:
    """Whether a module that is no convolution has weights that one could convolve with."""
    others = (module for module in model.modules() if not isinstance(module, _ConvNd))
    tensors = chain.from_iterable(module.parameters(recurse=False) for module in others)
    return any(tensor.ndim >= IMAGES for tensor in tensors)
