"""`ownmark verify` killed at any moment, twice at once, with no room to write: nothing is asked twice and nothing is lost."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from asking import COUNT
from loopback import Asked, Said, serving
from torch import nn
from v2_server import V2
from workshop import finished, ownmark, process, refused

from ownmark.claims.claim import Claim
from ownmark.suspects.http.ledger import Ledger

QUERIES = 2 * COUNT + 3  # three are asked twice
PLACE = "/v2/models/suspect"
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a claim."""
    monkeypatch.chdir(tmp_path)
    claim.save("my.claim")
    return tmp_path


def slowly(model: nn.Module) -> Callable[[Asked], Said]:
    def script(asked: Asked) -> Said:
        time.sleep(0.02)
        return V2(model)(asked)

    return script


def verdict(told: str) -> dict[str, object]:
    record = json.loads(told)
    return {key: record[key] for key in ("outcome", "reason", "deciding", "others", "queries")}


@pytest.mark.parametrize("after", [pytest.param(1, marks=pytest.mark.slow), 12, pytest.param(QUERIES, marks=pytest.mark.slow)])
def test_after_kill_9_only_what_was_not_answered_is_asked_and_the_verdict_is_the_same(
    after: int, place: Path, model: nn.Module, capsys: Capture
) -> None:
    """Fault 1."""
    with serving(slowly(model)) as server:
        words = ["verify", "my.claim", server.url + PLACE, "--at-once", "1", "--json"]
        whole = ownmark(capsys, *words, "--ledger", "other.ledger")
        assert (whole.code, len(server.queries())) == (0, QUERIES)
        running = process(*words, folder=place)
        while len(server.queries()) < QUERIES + after and running.poll() is None:
            time.sleep(0.002)
        os.kill(running.pid, signal.SIGKILL)
        assert finished(running).code == -signal.SIGKILL
        time.sleep(0.1)
        before = len(server.queries())
        (file,) = place.glob("my.claim.*.ledger")
        kept = Ledger(file)
        known = kept.answered
        kept.close()
        again = ownmark(capsys, *words)
        assert len(server.queries()) - before == QUERIES - known
    assert before - QUERIES - known <= 1, "only the question on its way was paid for and lost"
    assert (again.code, verdict(again.out)) == (0, verdict(whole.out))


@pytest.mark.usefixtures("place")
def test_a_second_run_on_the_same_ledger_is_refused_and_told_who_holds_it(model: nn.Module, capsys: Capture) -> None:
    """Fault 5."""
    with serving(V2(model)) as server:
        words = ["verify", "my.claim", server.url + PLACE, "--ledger", "my.ledger"]
        held = Ledger("my.ledger")
        refused(capsys, words, 2, "another run is using my.ledger", f"process {os.getpid()}")
        assert not server.queries()
        held.close()
        assert ownmark(capsys, *words).code == 0


def test_where_nothing_can_be_written_nobody_is_asked(place: Path, model: nn.Module, capsys: Capture) -> None:
    """Fault 4: a folder that is gone, and one that may not be written to."""
    (place / "plain").write_text("a file, and no folder")
    with serving(V2(model)) as server:
        words = ["verify", "my.claim", server.url + PLACE]
        for option in ("--ledger", "--report"):
            refused(capsys, [*words, option, "absent/file"], 2, "there is no folder absent")
            refused(capsys, [*words, option, "plain/file"], 2, "there is no folder plain")
        assert not server.asked


@pytest.mark.usefixtures("place")
def test_a_disk_that_is_full_in_the_middle_is_told_and_the_run_goes_on_when_there_is_room(
    model: nn.Module, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 3."""
    with serving(V2(model)) as server:
        words = ["verify", "my.claim", server.url + PLACE, "--ledger", "my.ledger", "--at-once", "1"]
        prepare = Ledger._prepare

        def small(ledger: Ledger) -> None:
            prepare(ledger)
            pages = ledger._database.execute("PRAGMA page_count").fetchone()[0]
            ledger._database.execute(f"PRAGMA max_page_count = {pages + 2}")

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "_prepare", small)
            ran = ownmark(capsys, *words)
        assert (ran.code, "full" in ran.err, "Traceback" in ran.err) == (2, True, False)
        before = len(server.queries())
        assert 0 < before < QUERIES
        kept = Ledger("my.ledger")
        known = kept.answered
        kept.close()
        assert ownmark(capsys, *words).code == 0
        assert len(server.queries()) - before == QUERIES - known
