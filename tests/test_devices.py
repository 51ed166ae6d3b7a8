"""What runs on the CPU runs on a GPU, too: every attack, scheme and detector, where one is pretended and where one is.

`elsewhere.pretended` finds a tensor on the wrong device wherever these tests run; the marker `gpu` runs them on a real one.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny
from elsewhere import pretended
from little import little
from thieves import EXAMPLES, applied
from torch import nn

from ownmark.data.images import Images
from ownmark.detectors import DETECTORS
from ownmark.models.layers import untaught
from ownmark.protocols import Attack, Detector, Owner, Scheme, silent
from ownmark.schemes import SCHEMES
from ownmark.schemes.characteristic import Characteristic
from ownmark.schemes.confer_ae import ConferAE
from ownmark.schemes.mistakes import Mistakes
from ownmark.suspects.local import Local
from ownmark.tasks import Regression, Similarity
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts.verify import verify

REAL = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")])


@pytest.fixture(params=["pretended", REAL])
def there(request: pytest.FixtureRequest) -> Iterator[torch.device]:
    """A GPU."""
    if request.param == "cuda":
        yield torch.device("cuda")
        return
    with pretended() as device:
        yield device


def small(number: int = 0) -> nn.Module:
    """A network of few steps, since each takes its time where a GPU is pretended."""
    with seeded(seed(number)):
        stem: list[nn.Module] = [nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3), nn.ReLU()]
        return nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3)).eval()


@cache
def shown() -> Images:
    """Every tenth label is wrong, for schemes that live on mistakes."""
    plain = pictures(60)
    return replace(plain, labels=np.where(np.arange(60) % 10 == 9, (plain.labels + 1) % 3, plain.labels))


@pytest.fixture(scope="module")
def taught() -> nn.Module:
    return train(small(), shown(), Training(epochs=6, batch=10, rate=0.1, shift=0), seed(0))


EASED: dict[type, dict[str, float]] = {Characteristic: {"steps": 6}, ConferAE: {"steps": 6}, Mistakes: {"rate": 0.001}}  # so that some hold


@pytest.mark.parametrize("kind", SCHEMES, ids=lambda kind: kind.__name__)
def test_every_claim_is_made_where_the_model_is_and_the_verdict_is_the_same_there_and_here(
    kind: type[Scheme], taught: nn.Module, there: torch.device
) -> None:
    model, others = deepcopy(taught).to(there), (small(number).to(there) for number in (1, 2, 3))
    owner = Owner(shown(), (deepcopy(model),), tuple(others), key=bytes(32))
    made = little(kind(), **({"steps": 2, "rate": 0.1} | EASED.get(kind, {}))).protect(model, owner, seed(0), silent)
    assert places(made.model) == {"cuda"}
    asked, again = (verify(made.claim, Local(model)) for model in (made.model, made.model.cpu()))
    assert asked.outcome == again.outcome
    assert asked.deciding.score == pytest.approx(again.deciding.score, abs=0.02)


@pytest.mark.parametrize("kind", DETECTORS, ids=lambda kind: kind.__name__)
def test_every_detector_watches_a_model_on_a_gpu(kind: type[Detector], there: torch.device) -> None:
    alarm = little(kind()).fit(small().to(there), pictures(80), seed(0), silent)
    assert np.isfinite(alarm.normal).all()


def test_a_student_starts_from_the_same_numbers_wherever_it_is_trained(there: torch.device) -> None:
    model, starts = small(), []
    for place in (torch.device("cpu"), there):
        with seeded(seed(3)):
            starts.append(untaught(model.to(place), "", 0).cpu().state_dict())
    assert all(torch.equal(one, starts[1][name]) for name, one in starts[0].items())
