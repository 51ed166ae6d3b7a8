"""Memory formats: channels lie last where that is faster and safe, one file says where, and nothing writes out of place."""

import re
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from allocator import checking, is_there
from conftest import pictures, seed, tiny
from torch import Tensor, nn
from torch._prims_common import suggest_memory_format
from torchvision import models

from ownmark.data.images import Images, to_unit
from ownmark.models.memory_format import VECTOR, laid_out, memory_format_of, plain_copy
from ownmark.models.mobilefacenet import MobileFaceNet
from ownmark.models.prepared import frozen
from ownmark.models.resnet import ResNet18
from ownmark.models.vgg import VGG11
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Owner, Question
from ownmark.schemes.partitioned import Partitioned
from ownmark.scoring.readings import Reading
from ownmark.suspects.local import Local
from ownmark.training import Training, train

SOURCE = Path(__file__).parents[2] / "src" / "ownmark"
LAST, PLAIN = torch.channels_last, torch.contiguous_format


def test_one_file_names_memory_formats() -> None:
    names = re.compile(r"channels_last|contiguous_format|preserve_format|torch\.memory_format|memory_format *=")
    users = [str(file.relative_to(SOURCE)) for file in SOURCE.rglob("*.py") if names.search(file.read_text(encoding="utf-8"))]
    assert users == ["models/memory_format.py"]


@pytest.mark.parametrize(
    ("make", "layout"),
    [
        (lambda: ResNet18(7, width=16), LAST),
        (lambda: ResNet18(10, width=32, stem="cifar"), LAST),
        (lambda: ResNet18(10, width=8, stem="cifar"), PLAIN),
        (lambda: ResNet18(10, width=4, stem="cifar"), PLAIN),
        (lambda: VGG11(width=4), LAST),
        (lambda: MobileFaceNet(width=8), LAST),
        (lambda: models.resnet18(num_classes=3), LAST),
        (lambda: models.mobilenet_v3_small(num_classes=3), LAST),
    ],
)
def test_networks_without_narrow_strided_points_have_their_channels_last(
    make: Callable[[], nn.Module], layout: torch.memory_format
) -> None:
    assert memory_format_of(make()) is layout


class Odd(nn.Module):
    """Convolves with weights of its own, as nobody can see from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3)
        self.weight = nn.Parameter(torch.rand(4, 32, 1, 1))


@pytest.mark.parametrize(
    "model",
    [
        nn.Linear(3, 3),
        nn.Conv2d(VECTOR - 1, 64, 1, stride=2),
        nn.Conv2d(64, 64, 1, stride=(1, 2), groups=8),
        nn.Conv1d(3, 3, 3),
        nn.Conv3d(3, 3, 3),
        nn.ConvTranspose2d(32, 32, 1, 2),
        nn.LazyConv2d(3, 1, stride=2),
        Odd(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_what_is_not_known_to_be_safe_is_laid_out_plainly(model: nn.Module) -> None:
    assert memory_format_of(nn.Sequential(nn.Conv2d(3, 32, 3), model) if isinstance(model, nn.Conv2d) else model) is PLAIN


def test_laying_out_changes_where_weights_lie_and_not_what_they_are() -> None:
    for model in (ResNet18(3, width=16), tiny()):
        other = laid_out(deepcopy(model).to(memory_format=LAST))
        weights = other.state_dict()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
        assert weights["stages.0.0.conv1.weight"].is_contiguous(memory_format=memory_format_of(model))
        assert plain_copy(weights["stages.0.0.conv1.weight"]).is_contiguous()


def training(model: nn.Module, images: Images) -> object:
    return train(model, images, Training(epochs=1, batch=7, shift=0, flips=False), seed(0))


def shifting(model: nn.Module, images: Images) -> object:
    return train(model, images, Training(epochs=1, batch=7, shift=1, upside_down=True), seed(0))


def asking(model: nn.Module, images: Images) -> object:
    question = Question(frozenset({Reading.SALIENCY, Reading.LABEL}), torch.tensor([0, 1]).numpy())
    return Local(model).read(images.pixels[:2], question)


def searching(model: nn.Module, images: Images) -> Tensor:
    copy, changed = frozen(model), to_unit(images.pixels[:3], torch.device("cpu"))
    return Descent(0.1, steps=3).run(changed, lambda changed, _: (copy(changed)[:, 0], None), seed(0))


def marking(model: nn.Module, images: Images) -> object:
    scheme = Partitioned(triggers=4, sets=1, steps=2, clean=5, least=0.0, view=Training(shift=1))
    return scheme.protect(model, Owner(images), seed(0))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether torch sees both operands as plain, of each convolution from here on that learns."""
    found: list[bool] = []
    convolve = nn.Conv2d._conv_forward

    def noted(self: nn.Conv2d, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if torch.is_grad_enabled():  # answers alone are computed as they should be
            found.append({suggest_memory_format(images), suggest_memory_format(weight)} == {PLAIN})
        answers: Tensor = convolve(self, images, weight, bias)
        return answers

    monkeypatch.setattr(nn.Conv2d, "_conv_forward", noted)
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("use", [training, shifting, asking, searching, marking])
def test_a_narrow_network_never_meets_channels_that_lie_last(
    use: Callable[[nn.Module, Images], object], channels: int, seen: list[bool]
) -> None:
    use(tiny(channels=channels).to(memory_format=LAST), pictures(channels=channels))
    assert seen
    assert all(seen)


def convolved(which: str, threads: str, *cases: str, **switches: str) -> str:
    command = [sys.executable, "-W", "error", str(Path(__file__).parents[1] / "convolutions.py"), which, threads, *cases]
    environment = checking(OMP_NUM_THREADS=threads.rpartition(",")[2], PYTHONPATH=str(SOURCE.parent), **switches)
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, f"it died of {ran.returncode}: {ran.stderr[-500:]}"
    assert ran.stdout.split()[-1] == ("checked" if is_there() else "unchecked")
    return ran.stdout


def test_no_convolution_of_a_known_network_writes_beyond_its_memory() -> None:
    """By one thread and by two."""
    assert int(convolved("known", "1,2", "5:14", OMP_WAIT_POLICY="passive").split()[0]) > 200


@pytest.mark.slow
@pytest.mark.parametrize("vectors", ["AVX2", "DEFAULT"])
@pytest.mark.parametrize("threads", [1, 2])
def test_none_does_at_more_sizes_and_on_older_processors(vectors: str, threads: int) -> None:
    convolved("known", str(threads), "1:8", "2:16", "7:14", "7:28", "8:15", "24:16", ONEDNN_MAX_CPU_ISA=vectors)
