"""What runs on the CPU runs on a GPU, too: every attack, scheme and detector, where one is pretended and where one is.

`elsewhere.pretended` finds a tensor on the wrong device wherever these tests run; the marker `gpu` runs them on a real one.
"""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from benches import quick
from conftest import pictures, seed, tiny
from elsewhere import Elsewhere, pretended
from little import little
from spotter import Spotter, squares
from thieves import EXAMPLES, applied
from torch import nn
from workshop import MODEL, ownmark, protecting, shop_in

from ownmark.bench.artifacts import Pictures
from ownmark.bench.cache import Zoo
from ownmark.bench.executors.worker import Here, Workplace
from ownmark.bench.running import run
from ownmark.bench.store import Store
from ownmark.claims.claim import Claim
from ownmark.data.images import Images
from ownmark.detectors import DETECTORS
from ownmark.errors import UsageError
from ownmark.models import accelerator
from ownmark.models.layers import untaught
from ownmark.models.network import Network
from ownmark.perturb.pgd import Descent
from ownmark.protocols import Attack, Detector, Owner, Scheme, silent
from ownmark.schemes import SCHEMES
from ownmark.schemes.characteristic import Characteristic
from ownmark.schemes.confer_ae import ConferAE
from ownmark.schemes.saliency.scheme import Draft, Saliency, _work
from ownmark.scoring.matches import Drop
from ownmark.suspects.local import Local
from ownmark.tasks import Detection, Regression, Similarity, Task
from ownmark.training import Training, predict, seeded, train
from ownmark.verdicts.verify import verify
from ownmark.workflows.watching import NOBODY
from ownmark.workflows.workspace import Workspace

GPU = torch.cuda.is_available()
REAL = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not GPU, reason="no GPU here")])
Capture = pytest.CaptureFixture[str]


LONG = pytest.mark.parametrize("there", [pytest.param("pretended", marks=pytest.mark.slow), REAL], indirect=True)
QUICK = {"Finetune", "Distill", "Quantize", "Saliency", "Residual", "Zhang", "Neighbours", "detection"}  # one of each sort


def each(found: Iterable[Any], name: Callable[[Any], str] = lambda one: one.__name__) -> list[Any]:
    """All of a registry as parameters; where a device is pretended every step takes its time, so most are for the slow tests."""
    return [pytest.param(one, id=name(one), marks=() if name(one) in QUICK else pytest.mark.slow) for one in found]


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


MIXED_UP: dict[str, Callable[[torch.Tensor, torch.Tensor], object]] = {
    "added": lambda here, there: here + there,
    "joined": lambda here, there: torch.cat([here, there]),
    "chosen": lambda here, there: torch.where(here > 0, there, there),
    "written": lambda here, there: there.index_put_((torch.arange(2),), here[:2]),
    "rows that are elsewhere": lambda here, there: here[there.argsort()],
    "as numpy": lambda _, there: there.numpy(),
    "as an array": lambda _, there: np.asarray(there),
    "a network": lambda here, _: small().to("cuda")(here.view(1, 3, 8, 8)),
    "a loss": lambda here, there: torch.nn.functional.mse_loss(there.requires_grad_(), here),
    "drawn": lambda _, there: there.normal_(generator=seed(0)),
    "drawn there": lambda _, there: torch.rand(2, generator=seed(0), device=there.device),
}


@pytest.mark.parametrize("mixed_up", MIXED_UP.values(), ids=MIXED_UP)
def test_tensors_of_two_devices_are_an_error(
    mixed_up: Callable[[torch.Tensor, torch.Tensor], object], there: torch.device
) -> None:
    here = torch.linspace(0, 1, 192)
    with pytest.raises((RuntimeError, TypeError), match=r"device|cuda"):
        mixed_up(here, here.to(there))


def test_what_torch_allows_between_two_devices_is_allowed(there: torch.device) -> None:
    here = torch.linspace(0, 1, 192)
    moved = here.to(there)
    assert torch.equal((moved * torch.tensor(2.0))[torch.arange(3)].cpu(), 2 * here[:3])
    assert torch.equal(moved.copy_(1 - here).cpu(), 1 - here)
    assert torch.equal(here.new_zeros(2, device=there).cpu(), torch.zeros(2))


@pytest.mark.parametrize("attack", each(EXAMPLES, lambda attack: type(attack).__name__))
def test_every_attack_leaves_its_copy_where_the_stolen_model_is(attack: Attack, there: torch.device) -> None:
    found = applied(attack, small().to(there))
    assert places(found) == {"cuda"}
    assert predict(found, pictures(4)).shape == (4, 3)


EASED: dict[type, dict[str, float]] = {Characteristic: {"steps": 6}, ConferAE: {"steps": 6}}  # so that some samples hold


@pytest.mark.parametrize("kind", each(SCHEMES))
def test_every_claim_is_made_where_the_model_is_and_the_verdict_is_the_same_there_and_here(
    kind: type[Scheme], taught: tuple[nn.Module, ...], there: torch.device
) -> None:
    model, other = (deepcopy(one).to(there) for one in taught)
    others = (other,) if kind is ConferAE else tuple(small(number).to(there) for number in (1, 2, 3))
    owner = Owner(shown(), (deepcopy(model),), others, key=bytes(32))
    made = little(kind(), **({"steps": 2, "rate": 0.1} | EASED.get(kind, {}))).protect(model, owner, seed(0), silent)
    assert places(made.model) == {"cuda"}
    sums = 1e-6 if isinstance(next(made.model.parameters()), Elsewhere) else 0.5  # come out otherwise on a real one
    asked, again = (verify(made.claim, Local(model)) for model in (made.model, made.model.cpu()))
    assert asked.outcome == again.outcome
    assert asked.deciding.score == pytest.approx(again.deciding.score, abs=sums)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [Saliency(samples=2), Saliency.own(samples=2)], ids=["contrast", "own"])
def test_samples_of_every_objective_are_sought_where_the_models_are(
    scheme: Saliency, taught: tuple[nn.Module, ...], there: torch.device
) -> None:
    """Whether they hold after so few steps is another matter."""
    model, copy, other = (deepcopy(taught[place]).to(there) for place in (0, 0, 1))
    owner = Owner(shown(), (copy,), (other,), key=bytes(32))
    draft = Draft.of(replace(scheme, descent=Descent(bound=0.5, steps=2)), model, owner)
    candidates, make = _work(draft, model, owner, seed(0), 4)
    made = make(candidates)(seed(0), silent)
    assert made["views"].shape == (len(candidates), 2, 16, 16, 3)
    assert np.isfinite(made["maps"]).all()


@pytest.mark.parametrize("kind", each(DETECTORS))
def test_every_detector_watches_a_model_on_a_gpu(kind: type[Detector], there: torch.device) -> None:
    alarm = little(kind()).fit(small().to(there), pictures(80), seed(0), silent)
    assert np.isfinite(alarm.normal).all()


def test_a_student_starts_from_the_same_numbers_wherever_it_is_trained(there: torch.device) -> None:
    model, starts = small(), []
    for place in (torch.device("cpu"), there):
        with seeded(seed(3)):
            starts.append(untaught(model.to(place), "", 0).cpu().state_dict())
    assert all(torch.equal(one, starts[1][name]) for name, one in starts[0].items())


def test_what_a_device_draws_itself_comes_from_the_seed_and_disturbs_nobody(there: torch.device) -> None:
    """As dropout does."""

    def drawn(number: int) -> torch.Tensor:
        with seeded(seed(number)):
            return torch.rand(4, device=there).cpu()

    torch.zeros(1, device=there)  # from here on its generator exists
    before = torch.rand(4, device=there).cpu()
    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))
    assert not torch.equal(torch.rand(4, device=there).cpu(), before)


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


@pytest.mark.parametrize("task", each(TASKED, lambda task: task.name))
def test_models_of_every_task_are_trained_where_they_are(task: Task, there: torch.device) -> None:
    build, images = TASKED[task]
    model = train(build().to(there), images(), Training(epochs=1, batch=4, rate=0.001, shift=1), seed(0))
    assert places(model) == {"cuda"}
    assert all(bool(torch.isfinite(weight).all()) for weight in model.cpu().parameters())


NARROW = ("ownmark.training.narrowed", "ownmark.schemes.saliency.workbench.narrowed")


@pytest.fixture(params=["cpu", REAL])
def mixed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A device that computes in bfloat16: a GPU that was asked to or, with networks for which that is safe, the CPU."""
    monkeypatch.setenv("OWNMARK_PRECISION", "mixed")
    for name in NARROW if request.param == "cpu" else ():
        monkeypatch.setattr(name, lambda _: torch.autocast("cpu", torch.bfloat16))
    return torch.device(request.param)


def score(model: nn.Module, claim: Claim) -> float:
    return verify(claim, Local(model)).deciding.score


def test_what_is_trained_in_bfloat16_is_right_as_often_and_a_claim_tells_the_same_of_it(
    mixed: torch.device, taught: tuple[nn.Module, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is fixed: it was made in float32, on the CPU."""
    images, training = shown(), Training(epochs=6, batch=10, rate=0.1, shift=0)
    narrow = train(small().to(mixed), images, training, seed(0))
    monkeypatch.undo()
    right = [float((predict(one, images).argmax(dim=1).numpy() == images.labels).mean()) for one in (taught[0], narrow)]
    assert right[1] >= right[0] - 0.05
    assert {weight.dtype for weight in narrow.parameters()} == {torch.float32}
    assert not torch.equal(narrow.cpu()[0].weight, taught[0][0].weight)  # type: ignore[index]
    claim = little(Saliency(), samples=12, steps=4).protect(taught[0], Owner(images), seed(0), silent).claim
    assert score(narrow, claim) == pytest.approx(score(taught[0], claim), abs=0.15)


def test_samples_that_are_sought_in_bfloat16_hold_in_float32_and_tell_the_same_of_every_suspect(
    mixed: torch.device, taught: tuple[nn.Module, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme = Saliency(samples=8, descent=Descent(bound=0.5, steps=16), map_threshold=0.1, masked=Drop(0.01))
    model, other = taught

    def claimed(device: torch.device) -> Claim:
        brought = [deepcopy(one).to(device) for one in (model, model, other)]
        return scheme.protect(brought[0], Owner(shown(), (brought[1],), (brought[2],)), seed(0), silent).claim

    narrow = claimed(mixed)
    monkeypatch.undo()
    wide = claimed(torch.device("cpu"))
    assert not np.array_equal(narrow.images, wide.images)
    for suspect in (model, other, small(7)):
        assert score(suspect, narrow) == pytest.approx(score(suspect, wide), abs=0.25)
    assert score(model, narrow) == 1.0


@LONG
def test_a_bench_makes_and_asks_everything_on_a_gpu(there: torch.device, tmp_path: Path) -> None:
    place = Workplace(tmp_path / "store", there.type)
    found = run(quick(tmp_path).trials()[:2], place.zoo, Here(place))
    assert [one.error for one in found] == [None, None]
    assert places(place.zoo.model(found[1].trial.model)) == {"cuda"}


@LONG
def test_every_command_computes_on_a_gpu(
    there: torch.device, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there.type == "cuda")
    shop_in(tmp_path / "shop", monkeypatch)
    innocents = sorted(map(str, Path("innocents").glob("*.safetensors")))
    suspect = (MODEL, "--weights", "model.safetensors", "--device", "cuda")
    for words in (
        [*protecting("made.claim"), "--device", "cuda"],
        ["calibrate", "made.claim", *innocents, "--model", MODEL, "--out", "known.claim", "--device", "cuda"],
        ["verify", "known.claim", *suspect],
        ["attack", *suspect, "--data", "images", "--attack", "Finetune(epochs=1)", "--out", "tuned.safetensors"],
        ["report", "known.claim", "tuned.safetensors", "--model", MODEL, "--out", "page.html", "--device", "cuda"],
        ["scan", "known.claim", "tuned.safetensors", "--model", MODEL, "--access", "weights", "--last", "--device", "cuda"],
    ):
        ran = ownmark(capsys, *words)
        assert ran.code in {0, 1, 3}, (words, ran.err)


def test_models_of_narrow_numbers_are_kept_apart_from_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo, making = Zoo(Store(tmp_path)), Pictures("digits")
    there, here = (Workspace(tmp_path, Network(MODEL, device=torch.device(name)), 0, NOBODY) for name in ("cuda", "cpu"))
    plain = making.specification(zoo)
    files = there.file("a recipe"), here.file("a recipe")
    assert zoo._specification(making) == plain
    monkeypatch.setenv("OWNMARK_PRECISION", "mixed")
    assert zoo._specification(making) == {**plain, "precision": "mixed"}
    assert there.file("a recipe") != files[0]
    assert here.file("a recipe") == files[1]


def test_a_precision_that_is_not_known_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNMARK_PRECISION", "half")
    with pytest.raises(UsageError, match="OWNMARK_PRECISION must be mixed or full; got 'half'"):
        accelerator.narrowed(torch.device("cuda"))
