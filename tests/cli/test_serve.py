"""`ownmark serve`: a model behind it is judged as it is at hand, and what wary thieves do to answers can be tried."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MethodType

import numpy as np
import onnx
import pytest
from asking import NAMES, asked, exported, pixels
from conftest import tiny
from loopback import HASTY, transport
from torch import nn

from ownmark.claims.claim import Claim
from ownmark.cli import main
from ownmark.cli.commands.serve import Serve
from ownmark.errors import AnswerError, ModelError, SuspectError
from ownmark.scoring.readings import Reading
from ownmark.suspects.http.oip import Dialect, Oip
from ownmark.suspects.http.request import Request
from ownmark.suspects.local import Local
from ownmark.verdicts.verdict import Outcome
from ownmark.verdicts.verify import verify
from ownmark.workflows.oip_server import HEADER, Harden, Service, listening
from ownmark.workflows.serve import ServeResult


@contextmanager
def served(service: Service) -> Iterator[str]:
    """The address of a model that is being served."""
    with listening(service, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v2/models/{service.name}"
        server.shutdown()
        thread.join()


def test_a_served_model_gives_exactly_the_verdict_that_it_gives_at_hand(model: nn.Module, claim: Claim) -> None:
    wanted = verify(claim, Local(model, batch=1))
    with served(Service(Local(model))) as url, transport() as carrier:
        found = verify(claim, Oip(url, len(NAMES), carrier))
    assert (found.outcome, found.reason) == (wanted.outcome, wanted.reason)
    for one, other in zip((found.deciding, *found.others), (wanted.deciding, *wanted.others), strict=True):
        assert np.array_equal(one.observed, other.observed)
        assert (one.score, one.p, one.interval) == (other.score, other.p, other.interval)


def test_rounding_keeps_the_verdict_and_the_label_alone_leaves_the_label_test(model: nn.Module, claim: Claim) -> None:
    for harden, readings in ((Harden.ROUND, {Reading.LABEL, Reading.PROBABILITY}), (Harden.TOP1, {Reading.LABEL})):
        with served(Service(Local(model), harden=harden)) as url, transport() as carrier:
            suspect = Oip(url, len(NAMES), carrier)
            assert suspect.reveals == readings
            assert verify(claim, suspect).outcome is Outcome.MATCH


def test_noise_changes_answers_from_one_time_to_the_next(model: nn.Module) -> None:
    with served(Service(Local(model), harden=Harden.NOISE, rng=np.random.default_rng(0))) as url:
        answers = []
        for _ in range(2):
            with transport() as carrier:
                suspect = Oip(url, len(NAMES), carrier, dialect=Dialect(repeats=0))
                answers.append(suspect.read(pixels()[:, 0], asked())[Reading.PROBABILITY])
        with transport() as carrier, pytest.raises(AnswerError, match="at random"):
            Oip(url, len(NAMES), carrier).read(pixels()[:, 0], asked())
    assert np.abs(answers[0] - answers[1]).max() > 0.01
    assert all(np.allclose(one.sum(axis=1), 1) for one in answers)


def test_a_server_that_refuses_near_copies_is_an_error_and_not_a_verdict(model: nn.Module, claim: Claim) -> None:
    twins = claim.images.copy()
    twins[:, 1] = twins[:, 0]
    twins[:, 1, :2, :2] = 0
    with served(Service(Local(model), harden=Harden.REFUSE)) as url, transport(replace(HASTY, at_once=1)) as carrier:
        with pytest.raises(SuspectError, match="status 403"):
            verify(replace(claim, images=twins), Oip(url, len(NAMES), carrier))
        answers = Oip(url, len(NAMES), carrier, dialect=Dialect(repeats=0)).read(twins[:1, 0], asked(count=1))
        assert answers[Reading.PROBABILITY].shape == (1, len(NAMES))


def test_a_model_that_does_another_task_is_inconclusive(claim: Claim) -> None:
    with served(Service(Local(tiny(0, classes=3)))) as url, transport() as carrier:
        verdict = verify(claim, Oip(url, len(NAMES), carrier))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "a different task" in verdict.reason


def tensor(**changes: object) -> bytes:
    given = {"name": "images", "datatype": "UINT8", "shape": [1, 2, 2, 3], "data": [0] * 12, **changes}
    return json.dumps({"inputs": [given]}).encode()


BAD: dict[str, bytes] = {
    "no JSON": b"<html>",
    "no inputs": b"{}",
    "a list": b"[]",
    "two inputs": b'{"inputs": [{}, {}]}',
    "another name": tensor(name="x"),
    "another type": tensor(datatype="FP32"),
    "another shape": tensor(shape=[1, 2, 2, 4]),
    "fewer values": tensor(data=[0] * 11),
    "values too large": tensor(data=[256] * 12),
    "fractions": tensor(data=[0.5] * 12),
    "words": tensor(data=["a"] * 12),
    "an empty shape": tensor(shape=[0, 2, 2, 3], data=[]),
    "a deep well": b"[" * 100_000,
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_refused_with_status_400_and_the_server_lives_on(kind: str, model: nn.Module) -> None:
    with served(Service(Local(model))) as url, transport() as carrier:
        with pytest.raises(SuspectError, match="status 400"):
            carrier.send(Request("POST", f"{url}/infer", BAD[kind]))
        with pytest.raises(SuspectError, match="status 400"):
            carrier.send(Request("POST", f"{url}/infer", tensor(), ((HEADER, "x"),)))
        with pytest.raises(SuspectError, match="status 404"):
            carrier.send(Request("POST", f"{url}x/infer", tensor()))
        with pytest.raises(SuspectError, match="status 404"):
            carrier.send(Request("GET", f"{url}/nothing"))
        assert b'"ready": true' in carrier.send(Request("GET", f"{url}/ready")).body


def test_serve_tells_its_address_and_ends_with_ctrl_c(model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    exported(model, tmp_path / "suspect.onnx")
    claim.save(tmp_path / "my.claim")
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "  # ignored below some shells
    code += "from ownmark.cli import main; sys.exit(main())"
    call = [sys.executable, "-c", code, "serve", "suspect.onnx", "--port", "0", "--harden", "round"]
    with subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert main(["verify", str(tmp_path / "my.claim"), url]) == 0
        os.kill(child.pid, signal.SIGINT)
        assert child.wait(timeout=20) == 0


WRONG: dict[str, tuple[str, ...]] = {
    "--classes N": ("torchvision:resnet18",),
    "letters, digits": ("suspect.onnx", "--name", "a/b"),
    "--harden": ("suspect.onnx", "--harden", "everything"),
    "no file": ("suspect.onnx",),
}


@pytest.mark.parametrize("message", WRONG)
def test_options_of_serve_that_cannot_be_meant_are_refused(
    message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", *WRONG[message]]) == 2
    assert message in capsys.readouterr().err


def test_weights_beside_a_served_file_are_read_when_that_is_allowed(model: nn.Module, tmp_path: Path) -> None:
    whole = onnx.load(exported(model, tmp_path / "whole.onnx"))
    onnx.save(whole, tmp_path / "apart.onnx", save_as_external_data=True, location="a.data", size_threshold=0)
    typed = Serve(model=str(tmp_path / "apart.onnx"), port=0)
    with pytest.raises(ModelError, match="--allow-external"):
        typed.run()
    served = replace(typed, allow_external=True).run()
    assert isinstance(served.then, MethodType)
    assert isinstance(served.then.__self__, ServeResult)
    served.then.__self__.server.server_close()


def test_a_port_that_is_taken_is_an_error(model: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = exported(model, tmp_path / "suspect.onnx")
    with served(Service(Local(model))) as url:
        port = url.split(":")[2].split("/")[0]
        assert main(["serve", str(path), "--port", port]) == 2
    assert "name another --port" in " ".join(capsys.readouterr().err.split())
