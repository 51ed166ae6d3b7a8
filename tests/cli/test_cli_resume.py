"""An interrupted `protect` goes on where it stopped: the same claim in the end, and nothing that was finished is made again."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from workshop import MODEL, finished, ownmark, process, protecting, refused, shop_in

from ownmark.cli import console, main
from ownmark.protocols import Progress
from ownmark.schemes.saliency.workbench import Workbench

Capture = pytest.CaptureFixture[str]
INTERRUPTED = 130
TRAINED = ["protect", MODEL, "--weights", "model.safetensors", "--data", "images", "--references", "1"]
TRAINED += ["--training", "Training(epochs=2, batch=8)", "--out", "my.claim"]
SLOW = "Saliency(samples=8, descent=Descent(bound=0.02, steps=3), map_threshold=0.0, masked=Drop(threshold=0.0))"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, where a batch has two images, so that a claim needs several."""
    monkeypatch.setattr("ownmark.schemes.saliency.scheme.PIXELS_AT_ONCE", {"cpu": 2 * 16 * 16, "cuda": 2 * 16 * 16})
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.fixture(scope="module")
def undisturbed() -> bytes:
    """The claim of a run that nobody interrupts, in a workspace that holds something else, too."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as holder:
        patch.setattr("ownmark.schemes.saliency.scheme.PIXELS_AT_ONCE", {"cpu": 2 * 16 * 16, "cuda": 2 * 16 * 16})
        folder = shop_in(Path(holder) / "shop", patch)
        notes = folder / "my.claim.work" / "notes.txt"
        notes.parent.mkdir()
        notes.write_text("mine", encoding="utf-8")
        assert main(protecting("my.claim")) == 0
        assert [file.name for file in notes.parent.iterdir()] == ["notes.txt"], "what is not ours stays"
        return (folder / "my.claim").read_bytes()


def interrupting(monkeypatch: pytest.MonkeyPatch, title: str, share: float) -> None:
    """Ctrl-C as soon as `share` of the work under that title is done."""

    @contextmanager
    def working(shown: str) -> Iterator[Progress]:
        def progress(done: int, total: int) -> None:
            if shown == title and done >= share * total:
                raise KeyboardInterrupt

        yield progress

    monkeypatch.setattr(console, "working", working)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that are made from now on."""
    sizes: list[int] = []
    make = Workbench.make

    def spying(self: Workbench, clean: object, *others: object) -> object:
        made = make(self, clean, *others)  # type: ignore[arg-type]
        sizes.append(len(clean))  # type: ignore[arg-type]
        return made

    monkeypatch.setattr(Workbench, "make", spying)
    return sizes


def test_after_ctrl_c_no_batch_is_made_twice_and_the_claim_is_the_same(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted twice, at different batches, in one go."""
    whole = counted(monkeypatch)
    assert ownmark(capsys, *protecting("whole.claim", "--scheme", SLOW)).code == 0
    undisturbed, done = list(whole), list[int]()
    assert len(undisturbed) >= 4
    for share in (0.3, 0.6):
        with monkeypatch.context() as patch:
            interrupting(patch, "Making the fingerprint", share)
            before = counted(patch)
            stopped = ownmark(capsys, *protecting("my.claim", "--scheme", SLOW))
            assert stopped.code == INTERRUPTED
            assert not (shop / "my.claim").exists()
            assert "Finished work is kept in my.claim.work: the same command resumes there" in stopped.err
            assert 0 < len(before) < len(undisturbed) - len(done)
            done += before
    after = counted(monkeypatch)
    ran = ownmark(capsys, *protecting("my.claim", "--scheme", SLOW))
    assert ran.code == 0, ran.err
    assert "Resuming from my.claim.work" in ran.err
    assert done + after == undisturbed
    assert (shop / "my.claim").read_bytes() == (shop / "whole.claim").read_bytes()
    assert not (shop / "my.claim.work").exists()


def test_after_ctrl_c_no_model_is_made_twice(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, undisturbed: bytes
) -> None:
    """And what is not ours stays in the workspace: see the fixture."""
    with monkeypatch.context() as patch:
        interrupting(patch, "Making a copy: with its last layer retrained", 0.5)
        assert ownmark(capsys, *protecting("my.claim")).code == INTERRUPTED
    assert len(list((shop / "my.claim.work").iterdir())) == 1
    ran = ownmark(capsys, *protecting("my.claim"))
    assert ran.code == 0
    assert "Making a copy: fine-tuned" not in ran.err
    assert "Making a copy: with its last layer retrained" in ran.err
    assert (shop / "my.claim").read_bytes() == undisturbed


def test_a_damaged_file_in_the_workspace_is_made_again(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, undisturbed: bytes
) -> None:
    with monkeypatch.context() as patch:
        interrupting(patch, "Making the fingerprint", 0.6)
        assert ownmark(capsys, *protecting("my.claim")).code == INTERRUPTED
    for file in (shop / "my.claim.work").iterdir():
        file.write_bytes(file.read_bytes()[:-10])
    assert ownmark(capsys, *protecting("my.claim")).code == 0
    assert (shop / "my.claim").read_bytes() == undisturbed


def test_another_order_takes_nothing_from_the_workspace(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupting(patch, "Making the fingerprint", 0.6)
        assert ownmark(capsys, *protecting("my.claim")).code == INTERRUPTED
    for name in ("my.claim", "fresh.claim"):
        assert ownmark(capsys, *protecting(name, "--seed", "5", "--std", "0.9", "--mean", "0")).code == 0
    assert (shop / "my.claim").read_bytes() == (shop / "fresh.claim").read_bytes()


def test_a_workspace_that_cannot_be_made_is_told(shop: Path, capsys: Capture) -> None:
    (shop / "my.claim.work").write_text("a file in the way", encoding="utf-8")
    refused(capsys, protecting("my.claim"), 2, "my.claim.work is a file")


@pytest.mark.slow  # in this process: below; a killed process: test_made_killed.py
def test_a_process_that_gets_ctrl_c_loses_only_what_was_unfinished(shop: Path, capsys: Capture) -> None:
    """As soon as something was finished; `test_made_killed.py` has kill -9."""
    words = [*TRAINED, "--scheme", SLOW]
    running = process(*words, folder=shop)
    started = time.monotonic()
    while not list(shop.glob("my.claim.work/*.safetensors")) and running.poll() is None:
        assert time.monotonic() - started < 100
        time.sleep(0.002)
    running.send_signal(signal.SIGINT)
    stopped = finished(running)
    assert stopped.code == INTERRUPTED, stopped.err
    assert "Traceback" not in stopped.err
    assert not (shop / "my.claim").exists()
    again = ownmark(capsys, *words)
    assert again.code == 0, again.err
    assert "Training reference" not in again.err
    assert ownmark(capsys, *words, "--out", "whole.claim").code == 0
    assert (shop / "my.claim").read_bytes() == (shop / "whole.claim").read_bytes()
