"""`ownmark judge` and `ownmark scan` killed at ten moments: each goes on, nothing is asked twice and nothing is lost."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from authority import needs_openssl
from courtroom import JUDGE, WORDS, Memory, exported, furnish
from judging import SHAPE, keyed
from loopback import Asked, Said, Server, serving
from v2_server import V2
from workshop import finished, ownmark, process

from ownmark.suspects.http.ledger import Ledger

Capture = pytest.CaptureFixture[str]
PLACE = "/v2/models/suspect"
KNOWN = ["--tensor", "image:FP32:nhwc:scores", "--outputs", "logits", "--at-once", "1"]
KILLS = 10
LOST = 2 * KILLS  # at each kill: a question on its way, and an answer that has come but is not on the disk yet
pytestmark = pytest.mark.slow


def slowly(model: V2) -> Callable[[Asked], Said]:
    def script(asked: Asked) -> Said:
        time.sleep(0.01)
        return model(asked)

    return script


def killed(words: list[str], folder: Path, server: Server, after: int) -> None:
    """Start the command and kill it when the server has been asked so often, or when it ends by itself."""
    running = process(*words, folder=folder)
    while len(server.queries()) < after and running.poll() is None:
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    finished(running)
    time.sleep(0.05)


def again_and_again(words: list[str], folder: Path, server: Server, total: int) -> None:
    """Kill it at ten moments from the first question to beyond the last."""
    start = len(server.queries())
    for place in range(KILLS):
        killed(words, folder, server, start + 1 + place * total // KILLS)


def answered(file: Path) -> int:
    """How many answers a ledger holds."""
    ledger = Ledger(file)
    try:
        return ledger.answered
    finally:
        ledger.close()


@needs_openssl
def test_a_judge_who_is_killed_at_ten_moments_goes_on_to_the_same_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    court = furnish(tmp_path / "court")
    monkeypatch.chdir(court)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)
    (court / "mine").mkdir()
    copy = V2(Memory(keyed(master=bytes(range(32)))), shape=(-1, *SHAPE), listed=False)
    with serving(slowly(copy)) as server:
        words = [*JUDGE, "--suspect", server.url + PLACE, *KNOWN, "--json", "--ledger"]
        whole = ownmark(capsys, *words, "mine/whole.ledger")
        total = len(server.queries())
        again_and_again([*words, "mine/killed.ledger"], court, server, total)
        ran = ownmark(capsys, *words, "mine/killed.ledger")
        lost = len(server.queries()) - total - answered(Path("mine/killed.ledger"))
        assert 0 <= lost <= LOST, "only what was on its way is asked for again"
        asked = len(server.queries())
        assert ownmark(capsys, *words, "mine/killed.ledger").code == 0
        assert len(server.queries()) == asked
    assert (ran.code, ran.record["outcome"], ran.record["log10_p"]) == (0, whole.record["outcome"], whole.record["log10_p"])
    assert "were taken from an earlier run of this hearing" in ran.err


def test_a_scan_that_is_killed_at_ten_moments_goes_on_to_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    claim = keyed(sets=1)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        claim.save(tmp_path / name / "my.claim")
    exported(tmp_path / "whole" / "near.onnx", claim)
    shutil.copy(tmp_path / "whole" / "near.onnx", tmp_path / "killed" / "near.onnx")
    with serving(slowly(V2(Memory(claim), shape=(-1, *SHAPE), listed=False))) as server:
        words = ["scan", "my.claim", "near.onnx", server.url + PLACE, *KNOWN, "--json"]
        monkeypatch.chdir(tmp_path / "whole")
        whole = ownmark(capsys, *words)
        total = len(server.queries())
        monkeypatch.chdir(tmp_path / "killed")
        again_and_again(words, tmp_path / "killed", server, total)
        ran = ownmark(capsys, *words)
        (file,) = Path.cwd().glob("*.ledger")
        assert 0 <= len(server.queries()) - total - answered(file) <= LOST
    assert ran.record == whole.record
    assert ran.record["suspects_ever"] == 2
    assert not [one.name for one in Path.cwd().iterdir() if one.name.endswith(".lock")] or os.name == "nt"
