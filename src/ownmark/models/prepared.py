"""Wraps a model so that it takes images in [0, 1], normalises them itself and outputs one tensor, as ownmark expects."""

from typing import Any

import torch
from torch import Tensor, nn

from ownmark.claims.claim import Preprocess
from ownmark.errors import ModelError
from ownmark.models.copies import copied
from ownmark.models.plain import plain


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
    if _hook(model) is not None:
        raise ModelError("the model was prepared before and already normalises its images")
    copy = copied(model)
    if preprocess != Preprocess():
        copy.register_forward_pre_hook(Normalise(preprocess))
    return plain(copy, output)


def preprocess_of(model: nn.Module) -> Preprocess:
    """The normalisation added by `prepared`; the identity for a model that takes images in [0, 1] directly."""
    hook = _hook(model)
    return Preprocess() if hook is None else hook.preprocess


def _hook(model: nn.Module) -> Normalise | None:
    return next((hook for hook in model._forward_pre_hooks.values() if isinstance(hook, Normalise)), None)  # noqa: SLF001
