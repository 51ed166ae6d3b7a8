"""A verdict's exit code outlives whoever reads it: closed pipes, full disks and streams that are not there."""

import errno
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from workshop import MODEL, RUN, Ran, ownmark, shop_in

from ownmark.claims.claim import Claim, Test
from ownmark.cli import main
from ownmark.cli.commands.inspect import Inspect
from ownmark.cli.console import Stream, result, streams
from ownmark.scoring.matches import Agreement
from ownmark.scoring.readings import Reading

Capture = pytest.CaptureFixture[str]
VERIFY = ("verify", "upheld.claim", MODEL, "--weights", "model.safetensors")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def piped(folder: Path, out: int, *more: str) -> Ran:
    """A verdict of a process whose stdout is that, on a file, which needs no torch and so no seconds to load it."""
    claim = Claim.load(folder / "upheld.claim")
    labels = Test(Reading.LABEL, Agreement(), claim.tests[0].expected, 1.0, null=claim.tests[0].null)
    replace(claim, images=claim.images[:, :1], tests=(labels,), maps=None).save(folder / "labels.claim")
    call = [sys.executable, "-c", RUN, "verify", "labels.claim", "copy.onnx", *more]
    ended = subprocess.run(call, cwd=folder, stdout=out, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    return Ran(ended.returncode, "", ended.stderr)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_match_that_nobody_reads_keeps_its_own_exit_code(more: tuple[str, ...], shop: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE) as reader:
        reader.wait()
        assert reader.stdin is not None
        ran = piped(shop, reader.stdin.fileno(), *more)
    assert ran.code == 0
    assert "Exception ignored" not in ran.err
    assert "Error" not in ran.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_match_that_cannot_be_written_is_exit_code_2_and_says_so(more: tuple[str, ...], shop: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        ran = piped(shop, full.fileno(), *more)
    assert ran.code == 2
    assert "the result cannot be written to stdout: No space left on device" in ran.err
    assert "Exception ignored" not in ran.err


class Broken(io.StringIO):
    """A stream that fails in that way when it is flushed, as buffered ones do."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def flush(self) -> None:
        raise self.error


PIPE, FULL = BrokenPipeError(errno.EPIPE, "Broken pipe"), OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(("error", "code"), [(PIPE, 1), (FULL, 2)])
def test_no_match_stays_no_match_where_nobody_reads_it(
    error: OSError, code: int, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.exists()
    monkeypatch.setattr(sys, "stdout", Broken(error))
    assert main(["verify", "refuted.claim", *VERIFY[2:-1], "other.safetensors"]) == code


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_is_closed_changes_no_exit_code(stream: str, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.exists()
    monkeypatch.setattr(sys, stream, None)
    assert main(["inspect", "upheld.claim"]) == 0
    assert main(["inspect", "nothing.claim", "--json"]) == 4


def test_notes_that_cannot_be_written_change_no_exit_code(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.exists()
    monkeypatch.setattr(sys, "stderr", Broken(FULL))
    assert main(list(VERIFY)) == 0


def test_an_error_after_the_result_adds_no_second_object(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.exists()

    def late(_: object) -> NoReturn:
        result(json.dumps({"done": True}))
        raise ValueError("too late")

    monkeypatch.setattr(Inspect, "run", late)
    ran = ownmark(capsys, "inspect", "upheld.claim", "--json")
    assert (ran.code, ran.record) == (2, {"done": True})
    assert "too late" in ran.err


def test_the_streams_are_put_back() -> None:
    before = sys.stdout, sys.stderr
    with streams() as ours:
        assert (sys.stdout, sys.stderr) == (ours.out, ours.err)
    assert (sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("say", [lambda stream: stream.write("x"), lambda stream: stream.result("x")])
def test_a_stream_never_raises_and_remembers_what_failed(say: Callable[[Stream], object]) -> None:
    full, closed = Stream(Broken(FULL)), Stream(Broken(PIPE))
    for stream in (full, closed):
        for _ in range(2):
            say(stream)
            stream.flush()
    assert (full.failure, closed.failure) == (FULL, None)
