"""Networks that learnt the tests' pictures beforehand, so that no test hangs on how one processor's training comes out.

Only their norms and heads were trained; those lie in `tests/weights/`, a few kilobytes a network, and the convolutions are
those of `tiny`. `python tests/learnt.py` makes the files anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from conftest import pictures, seed, tiny
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ownmark.attacks.finetune import Finetune
from ownmark.data.images import Images
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Owner, silent
from ownmark.training import Training, predict, train

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Lesson:
    """What networks of these numbers learnt, and the accuracies on their own images that make them fit for a test."""

    images: Images
    training: Training
    numbers: range
    fit: tuple[float, float] = (0.95, 1.0)


LESSONS: Mapping[str, Lesson] = {
    "bright": Lesson(pictures(180), Training(epochs=8, batch=16, rate=0.05, shift=2), range(3)),
    "large": Lesson(pictures(120, size=48), Training(epochs=8, batch=16, rate=0.05, shift=2), range(2)),
    "chance": Lesson(  # labels that nothing can tell: every network has its own mistakes
        replace(pictures(120), labels=np.random.default_rng(5).integers(0, 3, 120)),
        Training(epochs=8, batch=16, rate=0.1, shift=2),
        range(3),
        (0.35, 0.8),
    ),
}


def learnt(lesson: str, number: int = 0) -> ResNet18:
    """A network of its own for who asks, in eval mode; fails where it is not fit for its tests."""
    model = tiny(number)
    kept = {name: tensor.float() for name, tensor in load_file(WEIGHTS / f"{lesson}-{number}.safetensors").items()}
    missing, unknown = model.load_state_dict(kept, strict=False)
    assert not unknown
    assert not set(missing) & set(small(model)), "a network of today has other parts: run `python tests/learnt.py`"
    low, high = LESSONS[lesson].fit
    known = LESSONS[lesson].images
    right = float((predict(model, known).argmax(dim=1).numpy() == known.labels).mean())
    assert low <= right <= high, (
        f"the network {lesson}-{number} is right on {right:.0%} of its images: run `python tests/learnt.py`"
    )
    return model


def greyed(model: ResNet18) -> ResNet18:
    """The network for grey images, changed in place: it answers them as it answers the same image in three channels."""
    stem = model.get_submodule("stem.conv")
    assert isinstance(stem, nn.Conv2d)
    stem.weight = nn.Parameter(stem.weight.detach().sum(dim=1, keepdim=True))
    stem.in_channels = 1
    return model


@dataclass(frozen=True)
class Cast:
    """A model, two copies of it and two others, and the owner's images."""

    images: Images
    model: nn.Module
    copies: tuple[nn.Module, ...]
    others: tuple[nn.Module, ...]

    @property
    def owner(self) -> Owner:
        return Owner(self.images, self.copies, self.others)


def cast_of(lesson: str, images: Images, others: str = "") -> Cast:
    """The others learnt the same lesson, or that of the name `others`."""
    model = learnt(lesson)
    copies = (Finetune(epochs=1, rate=0.005).apply(model, images, seed(number), silent) for number in (3, 4))
    return Cast(images, model, tuple(copies), tuple(learnt(others or lesson, number) for number in (1, 2)))


def small(model: nn.Module) -> dict[str, Tensor]:
    """All that is not a convolution or a count."""
    return {name: tensor for name, tensor in model.state_dict().items() if 0 < tensor.ndim < 4}


def make() -> None:
    """Train every network, without its convolutions, and write what changed in half precision."""
    torch.set_num_threads(1)
    for name, lesson in LESSONS.items():
        for number in lesson.numbers:
            model = tiny(number)
            for weight in model.parameters():
                weight.requires_grad_(weight.ndim < 4)
            train(model, lesson.images, lesson.training, seed(number))
            halves = {key: tensor.half().contiguous() for key, tensor in small(model).items()}
            save_file(halves, WEIGHTS / f"{name}-{number}.safetensors")
            learnt(name, number)


if __name__ == "__main__":
    make()
