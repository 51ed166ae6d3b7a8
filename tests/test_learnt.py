"""What is trained before the tests is fit for them on every machine, and nothing is trained while they are imported."""

from pathlib import Path

import pytest
import torch
from conftest import AT_IMPORT, pictures, tiny
from learnt import LESSONS, WEIGHTS, greyed, learnt

from ownmark.training import predict

SPOTTERS = 2  # small detectors
EVERY = [(name, number) for name, lesson in LESSONS.items() for number in lesson.numbers]
TRAINS = {
    "the loop": "from conftest import *\nfrom ownmark.training import *\ntrain(tiny(), pictures(), Training(epochs=1), seed(0))",
    "backward": "import torch\ntorch.ones(1, requires_grad=True).sum().backward()",
    "a gradient": "import torch\none = torch.ones(1, requires_grad=True)\ntorch.autograd.grad(one.sum(), one)",
    "an optimiser": "import torch\ntorch.optim.Adam([torch.ones(1, requires_grad=True)])",
    "an argument": """
import pytest
from conftest import *
from ownmark.training import *

@pytest.mark.parametrize("model", [train(tiny(), pictures(), Training(epochs=1), seed(0))])
def test_it(model): ...
""",
}


def collected(path: Path, code: str, request: pytest.FixtureRequest) -> pytest.CollectReport:
    path.write_text(code, encoding="utf-8")
    module = pytest.Module.from_parent(request.session, path=path)
    report: pytest.CollectReport = request.config.hook.pytest_make_collect_report(collector=module)
    return report


@pytest.mark.parametrize("how", TRAINS)
def test_a_file_that_trains_at_import_is_an_error_of_every_run(how: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    report = collected(tmp_path / f"test_trains_{how.rsplit(maxsplit=1)[-1]}.py", TRAINS[how], request)
    assert report.outcome == "failed"
    assert AT_IMPORT in str(report.longrepr)
    one = torch.ones(1, requires_grad=True)
    one.sum().backward()  # type: ignore[no-untyped-call]
    assert one.grad is not None, "tests themselves may train"


def test_a_file_that_only_builds_a_network_is_collected(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    code = "from conftest import *\nMODEL = tiny()\ndef test_it(): ..."
    assert collected(tmp_path / "test_builds.py", code, request).outcome == "passed"


@pytest.mark.parametrize(("lesson", "number"), EVERY)
def test_every_kept_network_is_fit_and_small(lesson: str, number: int) -> None:
    assert not learnt(lesson, number).training
    assert (WEIGHTS / f"{lesson}-{number}.safetensors").stat().st_size < 10_000


def test_no_kept_file_is_left_over() -> None:
    detectors = {file.name for file in WEIGHTS.glob("spotter-*")}  # of tests/spotter.py
    assert len(detectors) == SPOTTERS
    kept = {file.name for file in WEIGHTS.iterdir()} - detectors
    assert kept == {f"{lesson}-{number}.safetensors" for lesson, number in EVERY}


def test_a_network_that_did_not_learn_its_lesson_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("learnt.tiny", lambda number: tiny(number + 9))
    with pytest.raises(AssertionError, match="bright-0 is right on"):
        learnt("bright")


def test_a_grey_network_answers_as_its_coloured_one() -> None:
    grey = pictures(channels=1)
    pixels = torch.from_numpy(grey.pixels).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        wanted = learnt("bright")(pixels.expand(-1, 3, -1, -1))
        assert torch.allclose(greyed(learnt("bright"))(pixels), wanted, atol=1e-4)
    assert (predict(greyed(learnt("bright")), grey).argmax(dim=1).numpy() == grey.labels).all()
