"""Filter pruning: removes the convolution filters of lowest L1 norm (Li et al. 2017, arXiv:1608.08710).

Differs from the paper: where channels of several convolutions are summed, the same ones are removed from all of them, ranked by
the first convolution. Depthwise convolutions follow the convolution that feeds them, and so does a layer scale (ConvNeXt).
A layer norm includes masked channels in its mean and variance, but not removed ones.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ownmark.data.images import Images
from ownmark.errors import DataError, ModelError, UsageError
from ownmark.method_strings import Choice
from ownmark.models.layers import check_own_weights, held_at_zero, last_layers
from ownmark.models.prepared import copied
from ownmark.protocols import Progress, silent
from ownmark.training import Training, train

MADE_OF_ROWS = (nn.Conv2d, nn.Linear, nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)  # noqa: SLF001 - torch's base


class Removal(Choice):
    """`MASK` filters with zeros, so that every tensor keeps its shape, or `CUT` them out, which gives a smaller model whose
    weights no longer fit the stolen model's code."""

    MASK = "mask"
    CUT = "cut"


@dataclass(frozen=True)
class PruneFilters:
    """Removes the `fraction` of filters with the lowest L1 norm from each convolution, rounded up, with their dependents.

    A convolution that would lose all filters is left unchanged. A mask includes the filters' biases and normalisation, so that
    their channels are zero. With `epochs` > 0 the model is then fine-tuned on the thief's images with a one-cycle learning
    rate that peaks at `rate`; removed filters stay removed. `flips`: whether images are mirrored at random.
    """

    fraction: float = 0.25
    removal: Removal = Removal.MASK
    epochs: int = 0
    rate: float = 0.01
    flips: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.fraction < 1:
            raise UsageError(f"PruneFilters: expected a fraction between 0 and 1, got {self.fraction}")

    def apply(self, stolen: nn.Module, thief: Images, rng: torch.Generator, progress: Progress = silent) -> nn.Module:
        """A copy of `stolen` with fewer filters. Raises ModelError if none can be removed."""
        if not len(thief):
            raise DataError("expected at least one image to trace filters with, got none")
        check_own_weights(stolen)
        model = copied(stolen).requires_grad_(True).eval()
        with held_at_zero(_removed(model, thief.batch(torch.arange(1), next(model.parameters()).device), self)):
            if self.epochs:
                train(model, thief, Training(epochs=self.epochs, rate=self.rate, flips=self.flips), rng, progress)
        return model.eval()


def _removed(model: nn.Module, example: Tensor, asked: PruneFilters) -> list[tuple[Tensor, Tensor]]:
    """Cuts filters out of `model`, or returns masks for its tensors."""
    masks: list[tuple[Tensor, Tensor]] = []
    found = 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # the library guesses in the cases that it warns about, often wrongly
            for group in _groups(model, example, asked.fraction):
                found += 1
                masks += _cut(group) if asked.removal is Removal.CUT else _masks(group)
        model(example)
    except Exception as error:  # unusual architectures raise arbitrary errors
        first = str(error).strip().splitlines()[:1]
        raise ModelError(
            f"cannot trace the model's filters from layer to layer ({type(error).__name__}: {''.join(first)}); "
            "PruneNeurons and Prune do not need this"
        ) from error
    if not found:
        raise ModelError("the model has no convolution with removable filters")
    return masks


def _groups(model: nn.Module, example: Tensor, fraction: float) -> Iterator[Any]:
    """Filters to remove with their dependents, ranked before any is removed."""
    import torch_pruning

    pruner = torch_pruning.pruner.BasePruner(
        model,
        example,
        importance=torch_pruning.importance.MagnitudeImportance(p=1, group_reduction="first", normalizer=None),
        pruning_ratio=fraction,
        ignored_layers=last_layers(model),
        forward_fn=_ended,
        root_module_types=[nn.Conv2d],
        unwrapped_parameters=[(one, _channels(one)) for one in _own_parameters(model) if _channels(one) is not None],
    )
    groups: Iterator[Any] = pruner.step(interactive=True)
    return groups


def _ended(model: nn.Module, example: Tensor) -> object:
    """What the model answers; of a detector what its last layers do, since decoded boxes lead too far to be traced."""
    seen: list[Tensor] = []
    handles = [layer.register_forward_hook(lambda _, __, output: seen.append(output)) for layer in last_layers(model)]
    try:
        answered = model(example)
    finally:
        for handle in handles:
            handle.remove()
    return seen if len(handles) > 1 else answered


def _own_parameters(model: nn.Module) -> Iterator[nn.Parameter]:
    """Parameters that belong to a custom module instead of a torch layer, such as a layer scale."""
    for module in model.modules():
        kinds = [kind for kind in type(module).__mro__ if kind.__module__.startswith("torch.nn.") and kind is not nn.Module]
        if not kinds:
            yield from module.parameters(recurse=False)


def _channels(parameter: Tensor) -> int | None:
    """The only dimension longer than 1, which is certainly the channel dimension."""
    long = [dimension for dimension, size in enumerate(parameter.shape) if size > 1]
    return long[0] if len(long) == 1 else None


def _cut(group: Any) -> tuple[()]:  # noqa: ANN401 - the library is not typed
    """Cuts a group's filters out; no mask remains."""
    group.prune()
    return ()


def _masks(group: Any) -> Iterator[tuple[Tensor, Tensor]]:  # noqa: ANN401 - the library is not typed
    """Ones, with zeros in the rows of a group's filters."""
    import torch_pruning

    takes_in = (torch_pruning.prune_conv_in_channels, torch_pruning.prune_linear_in_channels)
    for part, rows in group:
        layer = part.target.module
        if isinstance(layer, nn.Parameter):
            mask = torch.ones_like(layer)
            mask.view(-1)[rows] = 0
            yield layer, mask
        if isinstance(layer, MADE_OF_ROWS) and part.handler not in takes_in:
            tensors = [*layer.parameters(recurse=False), getattr(layer, "running_mean", None)]
            for tensor in (one for one in tensors if one is not None):
                mask = torch.ones_like(tensor)
                mask[rows] = 0
                yield tensor, mask
