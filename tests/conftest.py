"""What the tests share: tiny models, a tiny claim, and suspects whose answers are known beforehand."""

import gc
import os
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from asking import NAMES, claim_on
from hypothesis import settings
from torch import nn

from ownmark import keys
from ownmark.claims.claim import Claim, Preprocess, Test
from ownmark.data.images import Images
from ownmark.models.prepared import copied
from ownmark.models.resnet import ResNet18
from ownmark.protocols import Question
from ownmark.scoring.matches import Agreement, Drop, OnPattern
from ownmark.scoring.null_models import Uncalibrated
from ownmark.scoring.readings import Answers, Reading
from ownmark.suspects.local import Local
from ownmark.verdicts.calibrate import calibrate

torch.set_num_threads(1)
PLAIN_KERNELS = ""
"""What a process runs first, so that it computes as these tests do: `make test-plain` does without oneDNN's fast kernels."""
if os.environ.get("OWNMARK_PLAIN_KERNELS") == "1":
    torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
    PLAIN_KERNELS = "import torch; torch.backends.mkldnn.enabled = False\n"
os.environ["OWNMARK_STATE"] = tempfile.mkdtemp(prefix="ownmark")  # no test touches the key of whoever runs it
settings.register_profile("ownmark", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("ownmark")

AT_IMPORT = "no test trains at import: make a fixture of it, or load a network (tests/learnt.py)"
CLASSES = ("akiec", "bcc", "nv")


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def seeded(number: int) -> None:
    """The global random numbers begin anew. `torch.manual_seed` takes a millisecond, since it keeps a trace for GPUs to come."""
    torch.default_generator.manual_seed(number)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(number)


def tiny(number: int = 0, classes: int = 3, channels: int = 3) -> ResNet18:
    """A ResNet-18 of width 4 in eval mode, whose batch norm has seen something, so that eval and train mode differ."""
    return copied(_drawn(number, classes, channels))


@cache
def _drawn(number: int, classes: int, channels: int) -> ResNet18:
    """Copying it takes half the time."""
    with torch.random.fork_rng(devices=[]):
        seeded(number)
        model = ResNet18(classes, width=4, channels=channels, stem="cifar")
        with torch.no_grad():
            model(torch.rand(8, channels, 16, 16))
    return model.eval()


def pictures(count: int = 24, size: int = 16, classes: int = 3, channels: int = 3, number: int = 0) -> Images:
    """Random images whose brightness tells their class."""
    rng = np.random.default_rng(number)
    labels = np.arange(count) % classes
    noise = rng.integers(0, 80, (count, size, size, channels))
    pixels = (noise + (labels * (170 // classes))[:, None, None, None]).astype(np.uint8)
    return Images(pixels, labels.astype(np.int64), tuple(f"class {label}" for label in range(classes)))


def small_claim(count: int = 2, size: int = 2, **changes: Any) -> Claim:
    """A claim with every field filled: a map, a drop of probability and a label."""
    rng = np.random.default_rng(0)
    expected = np.arange(count) % len(CLASSES)
    tests = (
        Test(Reading.SALIENCY, OnPattern(0.3, ((0, 0), (0, 1)), (2, 2)), expected, 1.0, "stages"),
        Test(Reading.PROBABILITY, Drop(0.1), expected, 0.5),
        Test(Reading.LABEL, Agreement(), expected, 1.0),
    )
    fields: dict[str, Any] = {
        "images": rng.integers(0, 256, (count, 2, size, size, 3), dtype=np.uint8),
        "tests": tests,
        "classes": CLASSES,
        "scheme": "Saliency(samples=2)",
        "model": "ab" * 32,
        "preprocess": Preprocess((0.5,), (0.25,)),
        "built_with": ("cd" * 32,),
        "originals": rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8),
        "maps": rng.random((count, 2, 2), dtype=np.float32),
    }
    return Claim(**fields | changes)


@dataclass
class Fake:
    """A suspect that gives the answers it was given and counts how often it is asked."""

    answers: Mapping[Reading, npt.NDArray[Any]]
    name: str = "fake"
    digest: str = ""
    asked: list[Question] = field(default_factory=list)

    @property
    def reveals(self) -> frozenset[Reading]:
        return frozenset(self.answers)

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        assert images.ndim == 4
        self.asked.append(question)
        return {reading: self.answers[reading] for reading in question.readings}


@contextmanager
def untaught() -> Iterator[None]:
    """Nothing can be trained meanwhile, and no gradient taken."""

    def no_step(*_: object, **__: object) -> None:
        raise AssertionError(AT_IMPORT)

    def no_gradient(*_: object, **__: object) -> None:
        raise AssertionError(AT_IMPORT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.autograd, "backward", no_gradient)
        patch.setattr(torch.autograd, "grad", no_gradient)
        patch.setattr(torch.optim.Optimizer, "__init__", no_step)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file that trains at import fails there, in every run of the tests."""
    import torchvision  # noqa: F401 - torch's compiler comes with it and would take the patches for its own

    with untaught():
        return (yield)


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so that the garbage collector need not look at half a million objects again and again."""
    gc.freeze()


@pytest.fixture(scope="session")
def model() -> nn.Module:
    """A network of seven classes, which no test may change; a file that needs another one has its own."""
    return tiny(0, classes=len(NAMES))


@pytest.fixture(scope="session")
def claim(model: nn.Module) -> Claim:
    """A claim of labels and of drops on it; 19 innocent ones calibrated the labels, so that there is one way of asking."""
    innocents = [Local(tiny(number, classes=len(NAMES))) for number in range(1, 20)]
    return calibrate(claim_on(model), innocents).with_nulls({1: Uncalibrated()})


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A network that knows `pictures`, which no test may change."""
    from learnt import learnt

    return learnt("bright")


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Every test starts from the same global numbers, whichever tests ran before."""
    seeded(0)


@pytest.fixture(autouse=True, scope="session")
def no_key_is_stretched_twice() -> Iterator[None]:
    """The same secret in the same context gives the same key, and scrypt takes half a second, as it should."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "stretched", cache(keys.stretched))
        yield


@pytest.fixture
def rng() -> torch.Generator:
    return seed(0)


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    """Whether two models hold the same names with bitwise equal tensors."""
    one, other = first.state_dict(), second.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
