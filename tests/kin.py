"""A model's nearest kin: a copy with a little noise, and an owner with three models trained independently."""

import torch
from conftest import seed, tiny
from torch import nn

from ownmark.data.images import Images
from ownmark.protocols import Owner


def shaken(model: nn.Module) -> nn.Module:
    copy = tiny(0, classes=3)
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        for weight in copy.parameters():
            weight.mul_(1 + 0.01 * torch.randn(weight.shape, generator=seed(3)))
    return copy


def owner_of(images: Images, classes: int = 3) -> Owner:
    return Owner(images, (), tuple(tiny(number, classes=classes) for number in (1, 2, 3)))
