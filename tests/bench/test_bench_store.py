"""The store keeps its word: made once, whole or not at all, and with all that a stranger needs to know of it."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ownmark.bench.store import Made, Store, cache_folder

ASKED = {"kind": "model", "seed": 3, "training": "Training(epochs=1)"}
MADE = Made({"weights": "ab"}, {"safetensors": b"0123456789"})
HOLD = """
import sys, time
from pathlib import Path
from ownmark.bench.store import Made, Store

def make():
    print("working", flush=True)
    time.sleep(600)
    return Made({})

Store(Path(sys.argv[1])).kept({"kind": "model", "seed": 3, "training": "Training(epochs=1)"}, make)
"""


def never() -> Made:
    raise AssertionError("it was there already")


def test_what_was_made_once_is_not_made_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.get(ASKED) is None
    first = store.kept(ASKED, lambda: MADE)
    again = store.kept(dict(reversed(ASKED.items())), never)
    assert again.record == first.record
    assert again.facts == {"weights": "ab"}
    assert again.file("safetensors").read_bytes() == b"0123456789"


def test_any_other_specification_is_another_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.kept(ASKED, lambda: MADE)
    assert store.get({**ASKED, "seed": 4}) is None
    assert store.get({**ASKED, "more": None}) is None


def test_a_record_says_what_was_made_and_with_what(tmp_path: Path) -> None:
    record = Store(tmp_path).kept(ASKED, lambda: MADE).record
    assert record["specification"] == ASKED
    assert record["seconds"] >= 0
    assert record["packages"]["torch"]
    assert record["machine"]["cores"] >= 1
    assert (record["revision"] is None) == (record["dirty"] is None)


@pytest.mark.parametrize("damage", [b"012345678", b"012345678x", None], ids=["cut short", "changed", "gone"])
def test_a_damaged_file_is_made_again(tmp_path: Path, damage: bytes | None) -> None:
    store = Store(tmp_path)
    file = store.kept(ASKED, lambda: MADE).file("safetensors")
    file.unlink() if damage is None else file.write_bytes(damage)
    assert store.get(ASKED) is None
    assert store.kept(ASKED, lambda: MADE).file("safetensors").read_bytes() == b"0123456789"


def test_files_without_their_record_are_no_entry(tmp_path: Path) -> None:
    store = Store(tmp_path)
    record = store.kept(ASKED, lambda: MADE).file("json")
    record.write_bytes(record.read_bytes()[:-1])
    assert store.get(ASKED) is None
    record.unlink()
    assert store.get(ASKED) is None


def test_a_making_that_fails_leaves_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(AssertionError):
        store.kept(ASKED, never)
    assert store.get(ASKED) is None
    assert store.kept(ASKED, lambda: MADE).facts == MADE.facts


def test_two_who_want_the_same_thing_make_it_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def make() -> Made:
        calls.append(1)
        return MADE

    with ThreadPoolExecutor(8) as pool:
        entries = list(pool.map(lambda _: Store(tmp_path).kept(ASKED, make), range(16)))
    assert len(calls) == 1
    assert len({json.dumps(entry.record) for entry in entries}) == 1


def test_the_lock_of_a_maker_that_was_killed_is_taken_over(tmp_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"working\n"
    finally:
        os.kill(maker.pid, signal.SIGKILL)
        maker.communicate()
    assert Store(tmp_path).kept(ASKED, lambda: MADE).facts == MADE.facts


def test_the_folder_can_be_named_and_is_the_platforms_own_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNMARK_CACHE", str(tmp_path))
    assert Store.default().root == tmp_path / "bench"
    monkeypatch.delenv("OWNMARK_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "ownmark"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder().parts[-3:] == ("Library", "Caches", "ownmark")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert cache_folder() == tmp_path / "ownmark" / "cache"
