"""What runs on the CPU runs on a GPU, too: every attack, scheme and detector, where one is pretended and where one is.

`elsewhere.pretended` finds a tensor on the wrong device wherever these tests run; the marker `gpu` runs them on a real one.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import pictures, seed, tiny
from elsewhere import pretended
from learnt import LESSONS, learnt
from little import little
from spotter import Spotter, squares
from thieves import EXAMPLES, applied
from torch import nn
from workshop import MODEL, ownmark, protecting, shop_in

from ownmark.data.images import Images
from ownmark.detectors import DETECTORS
from ownmark.errors import UsageError
from ownmark.models import accelerator
from ownmark.models.layers import untaught
from ownmark.protocols import Attack, Detector, Owner, Scheme, silent
from ownmark.schemes import SCHEMES
from ownmark.schemes.characteristic import Characteristic
from ownmark.schemes.confer_ae import ConferAE
from ownmark.schemes.saliency.scheme import Saliency
from ownmark.suspects.local import Local
from ownmark.tasks import Detection, Regression, Similarity, Task
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts.verify import verify

GPU = torch.cuda.is_available()
REAL = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not GPU, reason="no GPU here")])
Capture = pytest.CaptureFixture[str]


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
def taught() -> tuple[nn.Module, ...]:
    training = Training(epochs=6, batch=10, rate=0.1, shift=0)
    return tuple(train(small(number), shown(), training, seed(number)) for number in (0, 1))


def places(model: nn.Module) -> set[str]:
    return {tensor.device.type for tensor in (*model.parameters(), *model.buffers())}


@pytest.mark.parametrize("attack", EXAMPLES, ids=lambda attack: type(attack).__name__)
def test_every_attack_leaves_its_copy_where_the_stolen_model_is(attack: Attack, there: torch.device) -> None:
    found = applied(attack, small().to(there))
    assert places(found) == {"cuda"}
    assert predict(found, pictures(4)).shape == (4, 3)


EASED: dict[type, dict[str, float]] = {Characteristic: {"steps": 6}, ConferAE: {"steps": 6}}  # so that some samples hold


@pytest.mark.parametrize("kind", SCHEMES, ids=lambda kind: kind.__name__)
def test_every_claim_is_made_where_the_model_is_and_the_verdict_is_the_same_there_and_here(
    kind: type[Scheme], taught: tuple[nn.Module, ...], there: torch.device
) -> None:
    model, other = (deepcopy(one).to(there) for one in taught)
    others = (other,) if kind is ConferAE else tuple(small(number).to(there) for number in (1, 2, 3))
    owner = Owner(shown(), (deepcopy(model),), others, key=bytes(32))
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


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_images_are_the_same_whether_a_gpu_keeps_them_or_not(
    share: float, there: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "KEPT", share)
    images, rows = pictures(12), torch.tensor([5, 0, 7])
    found = accelerator.reader(images, there)(rows)
    assert found.device.type == "cuda"
    assert torch.allclose(found.cpu(), images.batch(rows, torch.device("cpu")), atol=1e-6)


TASKED: dict[Task, tuple[Callable[[], nn.Module], Callable[[], Images]]] = {
    Regression(): (
        lambda: tiny(classes=1),
        lambda: replace(pictures(8), labels=np.arange(8.0), names=("age",), task=Regression()),
    ),
    Similarity(): (lambda: tiny(classes=8), lambda: replace(pictures(8), task=Similarity())),
    Detection(): (Spotter, lambda: squares(8)),
}


@pytest.mark.parametrize("task", TASKED, ids=lambda task: task.name)
def test_models_of_every_task_are_trained_where_they_are(task: Task, there: torch.device) -> None:
    build, images = TASKED[task]
    model = train(build().to(there), images(), Training(epochs=1, batch=4, rate=0.001, shift=1), seed(0))
    assert places(model) == {"cuda"}
    assert all(bool(torch.isfinite(weight).all()) for weight in model.cpu().parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU here")
@pytest.mark.parametrize("precision", ["mixed", "full"])
def test_a_gpu_learns_what_a_cpu_learns_and_the_same_copy_answers_a_claim_alike(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fixed claim, made on the CPU in float32."""
    monkeypatch.setenv("OWNMARK_PRECISION", precision)
    monkeypatch.setattr(accelerator, "WORTHWHILE", 0)
    images, model = LESSONS["bright"].images, learnt("bright")
    owner = Owner(images, (learnt("bright"),), (learnt("bright", 1),), key=bytes(32))
    claim = little(Saliency(), samples=12).protect(model, owner, seed(0), silent).claim
    training = LESSONS["bright"].training
    here, there = (train(tiny(5).to(place), images, training, seed(5)) for place in ("cpu", "cuda"))
    right = [float((predict(one, images).argmax(dim=1).numpy() == images.labels).mean()) for one in (here, there)]
    assert right[1] >= right[0] - 0.05
    copies = [train(deepcopy(model).to(place), images, Training(epochs=1, rate=0.005), seed(3)) for place in ("cpu", "cuda")]
    for group in (copies, [here, there]):
        one, other = (verify(claim, Local(each)) for each in group)
        assert one.outcome == other.outcome
        assert one.deciding.score == pytest.approx(other.deciding.score, abs=0.1)


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason="no GPU here")
def test_every_command_computes_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    shop_in(tmp_path / "shop", monkeypatch)
    innocents = sorted(map(str, Path("innocents").glob("*.safetensors")))
    suspect = (MODEL, "--weights", "model.safetensors", "--device", "cuda")
    for words in (
        [*protecting("made.claim"), "--device", "cuda"],
        ["calibrate", "made.claim", *innocents, "--model", MODEL, "--out", "known.claim", "--device", "cuda"],
        ["verify", "known.claim", *suspect],
        ["attack", *suspect, "--data", "images", "--attack", "Finetune(epochs=1)", "--out", "tuned.safetensors"],
        ["report", "known.claim", "tuned.safetensors", "--model", MODEL, "--out", "page.html", "--device", "cuda"],
        ["scan", "known.claim", "innocents", "--model", MODEL, "--device", "cuda"],
    ):
        ran = ownmark(capsys, *words)
        assert ran.code in {0, 1}, (words, ran.err)


def test_a_precision_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNMARK_PRECISION", "half")
    with pytest.raises(UsageError, match="OWNMARK_PRECISION must be mixed or full; got 'half'"):
        accelerator.narrowed(torch.device("cuda"), 2**30)
