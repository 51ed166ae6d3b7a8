"""The ledger: what was spent and what was answered survives, is told by one digest, and is never paid for twice."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from loopback import HASTY, Asked, Said, said, serving, transport

from ownmark.errors import AnswerError, SuspectError, UsageError
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.remembered import key_of
from ownmark.suspects.http.request import Request

ANSWER = Reply(200, {"content-type": "application/json"}, b"[1, 2]")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "suspect.ledger"


def query(url: str, place: int = 0) -> Request:
    return Request("POST", f"{url}/predict", str(place).encode(), queries=1)


def answered(ledger: Ledger, request: str = "aa", reply: Reply = ANSWER) -> None:
    ledger.complete(ledger.send(request, 1), reply, 1)


def test_what_was_answered_is_known_after_it_was_closed(file: Path) -> None:
    ledger = Ledger(file)
    answered(ledger)
    digest, spent = ledger.digest, ledger.spent
    ledger.close()
    again = Ledger(file)
    assert again.answer("aa") == ANSWER
    assert again.answer("bb") is None
    assert (again.digest, again.spent) == (digest, spent) == (digest, 1)


def test_the_file_is_written_through_to_the_disk(file: Path) -> None:
    ledger = Ledger(file)
    assert ledger._database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"


def test_every_row_changes_the_digest() -> None:
    ledger = Ledger()
    seen = {ledger.digest}
    for place in range(3):
        number = ledger.send(f"{place}", 1)
        seen.add(ledger.digest)
        ledger.complete(number, ANSWER, 1)
        seen.add(ledger.digest)
    ledger.reject("2", "unusable")
    seen.add(ledger.digest)
    assert len(seen) == 8
    assert all(len(digest) == 64 for digest in seen)


def test_a_request_without_an_answer_stays_spent_and_is_asked_again(file: Path) -> None:
    ledger = Ledger(file)
    ledger.send("aa", 1)
    ledger.close()
    again = Ledger(file)
    assert again.spent == 1
    assert again.answer("aa") is None


def test_refused_requests_are_refunded_and_failed_ones_are_not() -> None:
    ledger = Ledger()
    ledger.fail(ledger.send("aa", 1), "status 429", queries=0, refunded=1, status=429)
    assert ledger.spent == 0
    ledger.fail(ledger.send("aa", 1), "timeout", queries=1)
    assert ledger.spent == 1
    rows = ledger._database.execute("SELECT state, status, queries, answer FROM requests").fetchall()
    assert rows == [("status 429", 429, 0, None), ("timeout", None, 1, None)]


def test_an_answer_that_is_none_stays_on_record_and_is_asked_for_again() -> None:
    ledger = Ledger()
    answered(ledger)
    ledger.reject("aa", "unusable")
    assert ledger.answer("aa") is None
    assert ledger._database.execute("SELECT answer FROM requests").fetchone() == (ANSWER.body,)


def test_a_changed_answer_is_noticed(file: Path) -> None:
    ledger = Ledger(file)
    answered(ledger)
    ledger.close()
    with sqlite3.connect(file) as database:
        database.execute("UPDATE requests SET answer = ?", (b"[9, 9]",))
    database.close()
    with pytest.raises(SuspectError, match="was modified"):
        Ledger(file).answer("aa")


def test_two_runs_cannot_share_a_ledger_and_the_second_is_told_who_has_it(file: Path) -> None:
    """Fault 5."""
    first = Ledger(file)
    with pytest.raises(UsageError, match=f"another run is using .*: process {os.getpid()} on "):
        Ledger(file)
    first.close()
    Ledger(file).close()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_file_that_is_no_ledger_is_left_as_it_was(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"dear diary, " * 100)
    with pytest.raises(UsageError, match="cannot use the ledger"):
        Ledger(file)
    assert file.read_bytes() == b"dear diary, " * 100
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE diary (entry TEXT)")
    database.close()
    with pytest.raises(UsageError, match="not a ledger"):
        Ledger(other)
    with pytest.raises(UsageError, match="cannot write"):
        Ledger(tmp_path / "no folder" / "a.ledger")


def test_a_full_disk_is_an_error_and_what_was_kept_stays(file: Path) -> None:
    ledger = Ledger(file)
    answered(ledger)
    pages = ledger._database.execute("PRAGMA page_count").fetchone()[0]
    ledger._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(UsageError, match="full"):
        answered(ledger, "bb", Reply(200, {}, bytes(100_000)))
    assert ledger.answer("aa") == ANSWER
    ledger.close()
    again = Ledger(file)
    assert again.answer("aa") == ANSWER
    assert again.answer("bb") is None


def test_many_threads_write_at_once_and_nothing_is_lost(file: Path) -> None:
    ledger = Ledger(file)
    threads = [threading.Thread(target=answered, args=(ledger, f"{number}")) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [row[0] for row in ledger._database.execute("SELECT number FROM requests ORDER BY number")]
    assert numbers == list(range(1, 41))
    assert all(ledger.answer(f"{number}") == ANSWER for number in range(40))


def test_an_answer_once_paid_for_is_never_asked_for_again(file: Path) -> None:
    with serving(lambda asked: Said(asked.body)) as server:
        for _ in range(2):
            with transport(ledger=Ledger(file)) as carrier:
                assert carrier.ask(6, lambda place: query(server.url, place), lambda reply: reply.body) == [
                    str(place).encode() for place in range(6)
                ]
        assert len(server.asked) == 6


def test_a_run_goes_on_after_the_key_has_expired_and_another_key_asks_the_same(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(asked: Asked) -> Said:
        expired = asked.headers["x-api-key"] == "first-key" and asked.place >= 3
        return said("expired", 401) if expired else said("fine")

    def keyed(url: str, place: int) -> Request:
        return Request("POST", url, str(place).encode(), (("x-api-key", "${MY_KEY}"),), 1)

    limits = HASTY.__class__(at_once=1, backoff=0.01)
    with serving(script) as server:
        monkeypatch.setenv("MY_KEY", "first-key")
        with transport(limits, ledger=Ledger(file)) as carrier, pytest.raises(SuspectError, match="check the key"):
            carrier.ask(6, lambda place: keyed(server.url, place), lambda reply: reply.body)
        monkeypatch.setenv("MY_KEY", "second-key")
        with transport(limits, ledger=Ledger(file)) as carrier:
            assert carrier.ask(6, lambda place: keyed(server.url, place), lambda reply: reply.body) == [b'"fine"'] * 6
            assert carrier.ledger.spent == 6
    answered_bodies = [one.body for one in server.asked if not (one.headers["x-api-key"] == "first-key" and one.place >= 3)]
    assert sorted(answered_bodies) == [str(place).encode() for place in range(6)]


def test_what_cannot_be_parsed_is_asked_again_next_time(file: Path) -> None:
    def picky(reply: Reply) -> bytes:
        if reply.body != b'"fine"':
            raise AnswerError("a login page")
        return reply.body

    with serving(lambda asked: said("fine") if asked.place else Said(b"<html>log in</html>")) as server:
        with transport(ledger=Ledger(file)) as carrier, pytest.raises(AnswerError):
            carrier.ask(1, lambda place: query(server.url, place), picky)
        with transport(ledger=Ledger(file)) as carrier:
            assert carrier.ask(1, lambda place: query(server.url, place), picky) == [b'"fine"']
            assert carrier.ledger.spent == 2


KILLED = """
import sys
from ownmark.suspects.http.ledger import Ledger
from ownmark.suspects.http.request import Request
from ownmark.suspects.http.transport import Limits, Transport

url, file = sys.argv[1:]
carrier = Transport(Limits(at_once=2), Ledger(file))
carrier.ask(40, lambda place: Request("POST", url, str(place).encode(), queries=1), lambda reply: reply.body)
"""


def test_a_killed_run_goes_on_where_it_was(file: Path) -> None:
    def script(asked: Asked) -> Said:
        time.sleep(0.02)
        return Said(hashlib.sha256(asked.body).hexdigest().encode())

    with serving(script) as server:
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(KILLED), server.url, str(file)])
        while len(server.asked) < 12 and child.poll() is None:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        time.sleep(0.1)
        before = len(server.asked)
        kept = Ledger(file)
        known = kept._database.execute("SELECT count(*) FROM requests WHERE state = 'answered'").fetchone()[0]
        spent = kept.spent
        kept.close()
        assert 8 <= known <= before <= spent
        with transport(ledger=Ledger(file)) as carrier:
            answers = carrier.ask(40, lambda place: Request("POST", server.url, str(place).encode(), queries=1), lambda r: r.body)
        assert answers == [hashlib.sha256(str(place).encode()).hexdigest().encode() for place in range(40)]
        assert len(server.asked) - before == 40 - known, "only what was not answered is asked again"


@pytest.mark.parametrize("name", ["a.xml", "a.param"])
def test_a_model_whose_weights_lie_beside_it_is_another_one_when_they_change(name: str, tmp_path: Path) -> None:
    """Otherwise a scan told the earlier model's answers as those of the new one."""
    (tmp_path / name).write_text("the graph")
    (tmp_path / "a.bin").write_bytes(b"weights")
    before = key_of(str(tmp_path / name), "how")
    assert key_of(str(tmp_path / name), "how") == before
    (tmp_path / "a.bin").write_bytes(b"others")
    assert key_of(str(tmp_path / name), "how") != before
