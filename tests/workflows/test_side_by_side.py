"""References are trained side by side: what the parent shows, keeps and passes on of what its processes do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import pictures

from ownmark.attacks.finetune import Finetune
from ownmark.attacks.prune import Prune
from ownmark.errors import ModelError
from ownmark.models.network import Network
from ownmark.protocols import Owner, Progress
from ownmark.tasks import Quality
from ownmark.training import Training
from ownmark.workflows import contrast, measuring, side_by_side
from ownmark.workflows.contrast import Others
from ownmark.workflows.watching import NOBODY, Watcher
from ownmark.workflows.workspace import Workspace

SMALL = Network("ownmark:ResNet18(width=2)", 3)


class Heard:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.titles: list[str] = []
        self.warnings: list[str] = []
        self.progress: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        pass

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Progress]:
        self.titles.append(title)
        yield lambda done, total: self.progress.append((done, total))


class Threads(ThreadPoolExecutor):
    """A thread in place of processes, which load torch for seconds; not two, since they share one random state."""

    def shutdown(self, wait: bool = True, *, kill_workers: bool = False) -> None:  # type: ignore[override] # noqa: ARG002, FBT001, FBT002
        ThreadPoolExecutor.shutdown(self, wait)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(side_by_side, "pool", lambda *_: Threads(1))


def stepping(steps: int, watcher: Watcher) -> None:
    with watcher.step("unheard") as progress:
        for step in range(steps):
            progress(step + 1, steps)


def failing(_: Watcher) -> None:
    raise ModelError("the training diverged")


def dying(_: Watcher) -> None:
    raise BrokenProcessPool("killed")


@pytest.mark.usefixtures("two")
def test_the_progress_of_all_jobs_is_added_up() -> None:
    heard = Heard()
    assert side_by_side.run([partial(stepping, 3), partial(stepping, 5)], heard, "Training")
    assert heard.titles == ["Training"]
    assert heard.progress[-1] == (8, 8)


@pytest.mark.usefixtures("two")
def test_what_a_job_raises_is_raised_and_a_process_that_died_is_told() -> None:
    with pytest.raises(ModelError, match="diverged"):
        side_by_side.run([failing, partial(stepping, 2)], NOBODY, "Training")
    heard = Heard()
    assert not side_by_side.run([dying, partial(stepping, 2)], heard, "Training")
    assert "one after the other" in heard.warnings[0]


@pytest.mark.usefixtures("two")
def test_long_trainings_run_side_by_side_and_give_what_one_after_the_other_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, others = pictures(24), Others(2, Training(epochs=1, batch=12), {"fine-tuned": Finetune(epochs=1), "pruned": Prune()})
    model, plain, aside = SMALL.blank(), Heard(), Heard()
    first = others.joined(Workspace(tmp_path / "plain", SMALL, 0, plain), model, Owner(images)).owner
    monkeypatch.setattr(contrast, "LONG", 0)
    joined = others.joined(Workspace(tmp_path / "aside", SMALL, 0, aside), model, Owner(images))
    second = joined.owner
    assert plain.titles[:2] == ["Training reference 1 of 2", "Training reference 2 of 2"]
    assert aside.titles == ["Training 3 models side by side", "Making a copy: pruned"]
    for one, other in zip(first.references + first.surrogates, second.references + second.surrogates, strict=True):
        for name, tensor in one.state_dict().items():
            assert torch.equal(tensor, other.state_dict()[name])
    others.joined(Workspace(tmp_path / "aside", SMALL, 0, aside), model, Owner(images))
    assert len(aside.titles) == 2  # found in the folder
    measured = list[object]()

    def counted(one: object, _: object) -> Quality:
        measured.append(one)
        return joined.references[0]

    monkeypatch.setattr(measuring, "quality", counted)
    others.doubted(model, joined)
    assert measured == [model, *second.surrogates]  # the references were measured when they were told


def test_references_in_a_cache_are_found_again_by_a_later_request_for_the_same_and_by_no_other(tmp_path: Path) -> None:
    images, heard, cache = pictures(24), Heard(), tmp_path / "kept" / "here"
    others = Others(1, Training(epochs=1, batch=12), {})

    def made(folder: str, seed: int = 0, others: Others = others) -> None:
        others.joined(Workspace(tmp_path / folder, SMALL, seed, heard, cache), SMALL.blank(), Owner(images))

    made("first")
    made("second")
    assert heard.titles == ["Training reference 1 of 1"]
    made("another seed", seed=1)
    made("another training", others=replace(others, training=Training(epochs=1, batch=6)))
    made("in full", others=replace(others, growing=False))
    assert len(heard.titles) == 4
    next(iter(cache.iterdir())).write_bytes(b"damaged")
    for seed in (0, 1):
        made("first", seed)
    made("another training", others=replace(others, training=Training(epochs=1, batch=6)))
    made("in full", others=replace(others, growing=False))
    assert len(heard.titles) == 5  # what was damaged is made anew


def test_with_one_thread_nothing_runs_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert side_by_side.workers(3) == 1


@pytest.mark.slow
def test_real_processes_tell_how_far_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    heard = Heard()
    assert side_by_side.run([partial(stepping, 3), partial(stepping, 5)], heard, "Training")
    assert heard.progress[-1] == (8, 8)
    with pytest.raises(ModelError, match="diverged"):
        side_by_side.run([failing, partial(stepping, 2)], NOBODY, "Training")
