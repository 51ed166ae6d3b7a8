"""Networks that people really have and that torch's usual tools stumble over, each built by a function without arguments."""

import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torchvision
from torch import Tensor, nn


class _Kept(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)
        self.activation = torch.zeros(())

    def forward(self, images: Tensor) -> Tensor:
        self.activation = self.features(images).relu()
        answers: Tensor = self.head(self.activation.mean((2, 3)))
        return answers


class _Exiting(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        sys.exit(f"{len(images)} images are too many")


class Answered(NamedTuple):
    logits: Tensor
    auxiliary: Tensor


class Twofold(nn.Module):
    """Answers an auxiliary head, too, in train mode."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.auxiliary = _plain(), _plain()

    def forward(self, images: Tensor) -> Any:
        return Answered(self.main(images), self.auxiliary(images)) if self.training else self.main(images)


def _seeded(build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings(action="ignore"):  # torch calls some of these old
        torch.manual_seed(0)
        return build()


def _plain(features: nn.Module | None = None, head: nn.Module | None = None) -> nn.Module:
    return nn.Sequential(
        features or nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head or nn.Linear(8, 3)
    )


def kept() -> nn.Module:
    """It keeps an activation, which has a past."""
    model = _seeded(_Kept)
    model(torch.rand(2, 3, 16, 16))
    return model


def weight_normed() -> nn.Module:
    """The old weight_norm, whose weight is no parameter."""
    return _seeded(lambda: _plain(nn.utils.weight_norm(nn.Conv2d(3, 8, 3))))


def lazy() -> nn.Module:
    """Its weights have no shape before it has seen an image."""
    return _seeded(lambda: _plain(nn.LazyConv2d(8, 3), nn.LazyLinear(3)))


def scripted() -> nn.Module:
    return _seeded(lambda: torch.jit.script(_plain()))


def exported() -> nn.Module:
    return _seeded(lambda: torch.export.export(_plain(), (torch.rand(2, 3, 16, 16),)).module())


def transformer() -> nn.Module:
    model = _seeded(lambda: torchvision.models.VisionTransformer(16, 4, 2, 2, 32, 64, num_classes=3))
    nn.init.normal_(model.get_parameter("heads.head.weight"))  # torchvision's are all zeros
    return model


def googlenet() -> nn.Module:
    return _seeded(lambda: torchvision.models.GoogLeNet(3, init_weights=False))


def inception() -> nn.Module:
    return _seeded(lambda: torchvision.models.Inception3(3, init_weights=False))


def leaving() -> nn.Module:
    """A script that was meant to be run, not imported."""
    sys.exit(1)


def exiting() -> nn.Module:
    return _Exiting()


class _Answering(nn.Module):
    """Answers what `of` makes of its scores for every pixel (n, 3, h, w)."""

    def __init__(self, of: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.pixels, self.of = nn.Conv2d(3, 3, 3, padding=1), of

    def forward(self, images: Tensor) -> Any:
        return self.of(self.pixels(images))


def segmenting() -> nn.Module:
    return _seeded(lambda: _Answering(lambda scores: scores))


def segmenting_by_name() -> nn.Module:
    """As torchvision's segmentation networks answer."""
    return _seeded(lambda: _Answering(lambda scores: {"out": scores, "aux": scores}))


def encoding() -> nn.Module:
    """As an encoder of transformers without a pooler."""
    return _seeded(lambda: _Answering(lambda scores: {"last_hidden_state": scores.flatten(2).transpose(1, 2)}))


def multi_label() -> nn.Module:
    return _seeded(lambda: _Answering(lambda scores: scores.mean((2, 3)).sigmoid()))


class _Mapped(nn.Module):
    """Takes a dictionary, as a collator of transformers gives."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = _plain()

    def forward(self, batch: dict[str, Tensor]) -> Any:
        return self.inner(dict(batch)["pixel_values"])


class _Paired(nn.Module):
    """Takes images and a mask."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = _plain()

    def forward(self, images: Tensor, mask: Tensor) -> Any:
        return self.inner(images * mask)


def mapped() -> nn.Module:
    return _seeded(_Mapped)


def paired() -> nn.Module:
    return _seeded(_Paired)


def yes_or_no() -> nn.Module:
    return _seeded(lambda: _plain(head=nn.Linear(8, 1)))


def compiled() -> nn.Module:
    """As a script builds it that trains what torch.compile returns."""
    made = torch.compile(_seeded(_plain), backend="eager")
    assert isinstance(made, nn.Module)
    return made


def quantised() -> nn.Module:
    """Its linear layer is one of torch's quantised ones, whose state dict has names of its own."""
    return _seeded(lambda: torch.ao.quantization.quantize_dynamic(_plain(), {nn.Linear}))  # type: ignore[no-untyped-call]
