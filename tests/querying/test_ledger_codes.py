"""A user's own key, and what his ledgers are worth to others: nothing that another hand wrote is believed."""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ownmark.errors import UsageError
from ownmark.files import held
from ownmark.querying import ledger_codes
from ownmark.querying.ledger_codes import LedgerCodes
from ownmark.suspects.http.ledger import Ledger, Reply

values = st.none() | st.integers() | st.text()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ledger_codes.VARIABLE, str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger of three answers, the last of them unusable."""
    path = tmp_path / "mine.ledger"
    ledger = Ledger(path)
    ledger.begin("a rule")
    for request in ("aa", "bb", "cc"):
        ledger.complete(ledger.send(request, 1), Reply(200, {}, request.encode()), 1)
    ledger.reject("cc", "unusable")
    ledger.close()
    return path


@given(st.lists(values), st.lists(values))
def test_rows_that_differ_have_other_codes(first: list[object], second: list[object]) -> None:
    one = LedgerCodes(bytes(32), bytes(32))
    same = [(type(value), value) for value in first] == [(type(value), value) for value in second]
    assert (one.signed(first) == one.signed(second)) == same
    assert one.signed(first) != LedgerCodes(bytes(31) + b"x", bytes(32)).signed(first)
    assert one.signed(first) != LedgerCodes(bytes(32), bytes(31) + b"x").signed(first)


def test_a_key_is_made_once_and_only_its_user_can_read_it(state: Path) -> None:
    key = ledger_codes.user_key()
    assert (len(key), ledger_codes.user_key()) == (32, key)
    assert [one.name for one in state.iterdir()] == [ledger_codes.NAME]
    assert stat.S_IMODE((state / ledger_codes.NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert key.hex() not in repr(LedgerCodes.begun(key))


def test_a_key_that_others_could_read_or_that_is_none_is_refused(state: Path) -> None:
    ledger_codes.user_key()
    (state / ledger_codes.NAME).chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        ledger_codes.user_key()
    (state / ledger_codes.NAME).chmod(0o600)
    (state / ledger_codes.NAME).write_bytes(b"short")
    with pytest.raises(UsageError, match="not a key of 32 bytes"):
        ledger_codes.user_key()


def test_where_no_key_can_be_kept_it_is_told_which_folder_to_name(state: Path) -> None:
    state.write_text("a file, and no folder")
    with pytest.raises(UsageError, match=f"set {ledger_codes.VARIABLE} to a folder"):
        ledger_codes.user_key()
    state.unlink()
    state.mkdir()
    (state / ledger_codes.NAME).symlink_to(state / "elsewhere")
    with pytest.raises(UsageError, match="cannot store your own key"):
        ledger_codes.user_key()
    assert not (state / "elsewhere").exists()


def test_the_folder_is_the_systems_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ledger_codes.VARIABLE)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert os.name == "nt" or ledger_codes.state_folder() == tmp_path / "ownmark"


def test_a_ledger_of_another_user_is_refused_even_if_it_is_empty(tmp_path: Path, file: Path) -> None:
    """An empty one, too: its nonce gives the order of questions, which nobody may foresee."""
    Ledger(tmp_path / "empty.ledger", bytes(32)).close()
    with pytest.raises(UsageError, match="was not started by you"):
        Ledger(tmp_path / "empty.ledger")
    with pytest.raises(UsageError, match="was not started by you"):
        Ledger(file, bytes(32))


FORGERIES = {
    "another answer": "UPDATE requests SET digest = 'ff' WHERE request = 'aa'",
    "another request": "UPDATE requests SET request = 'ff' WHERE request = 'aa'",
    "another time": "UPDATE requests SET sent = 'long ago' WHERE request = 'aa'",
    "another status": "UPDATE requests SET status = 201 WHERE request = 'aa'",
    "an unusable answer made one": "UPDATE requests SET state = 'answered' WHERE request = 'cc'",
    "a row that is moved": "UPDATE requests SET number = 9 WHERE request = 'aa'",
    "a row that is copied": "INSERT INTO requests SELECT 9, request, sent, queries, state, status, headers, digest, answer, code"
    " FROM requests WHERE request = 'aa'",
    "spent queries given back": "UPDATE requests SET queries = 0 WHERE request = 'aa'",
    "another rule": "UPDATE requests SET headers = 'a kinder rule' WHERE state = 'rule'",
    "another nonce": "UPDATE hearing SET nonce = '" + "ab" * 32 + "'",
    "a trigger": "CREATE TRIGGER later AFTER INSERT ON requests BEGIN UPDATE requests SET status = 1; END",
    "a view": "ALTER TABLE requests RENAME TO other; CREATE VIEW requests AS SELECT * FROM other",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_ledger_that_another_hand_wrote_to_is_refused_and_not_skipped(forgery: str, file: Path) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.executescript(FORGERIES[forgery])
    with pytest.raises(UsageError, match=r"was not (written|started) by you|not a ledger that this ownmark can read"):
        Ledger(file)


def test_a_ledger_of_the_first_version_is_refused_since_nothing_shows_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "old.ledger"
    with closing(sqlite3.connect(path)) as database:
        database.executescript("CREATE TABLE requests (number); PRAGMA application_id = 1870098029; PRAGMA user_version = 1")
    with pytest.raises(UsageError, match="version 1, which does not show whose answers"):
        Ledger(path)


@pytest.mark.parametrize("there", [True, False])
def test_no_link_is_followed(*, there: bool, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "a.ledger"
    if there:
        target.write_text("dear diary")
    link.symlink_to(target)
    with pytest.raises(UsageError, match="is a symbolic link"):
        Ledger(link)
    link.rename(tmp_path / ".b.ledger.lock")
    with pytest.raises(UsageError, match="cannot write"), held(tmp_path / "b.ledger"):
        pass
    assert target.exists() == there
    assert not there or target.read_text() == "dear diary"


def test_what_was_taken_from_an_earlier_run_is_counted_once(file: Path) -> None:
    ledger = Ledger(file)
    ledger.complete(ledger.send("dd", 1), Reply(200, {}, b"dd"), 1)
    assert ledger.taken == 0
    for request in ("aa", "aa", "bb", "cc", "dd"):
        ledger.answer(request)
    assert ledger.taken == 2


WORK: dict[str, Callable[[Ledger], object]] = {"nonce": lambda one: one.nonce, "rule": lambda one: one.noted("rule")}


@pytest.mark.parametrize("what", WORK)
def test_a_ledger_that_is_opened_again_is_the_same_hearing(what: str, file: Path) -> None:
    first = Ledger(file)
    told = WORK[what](first)
    first.close()
    second = Ledger(file)
    assert WORK[what](second) == told
