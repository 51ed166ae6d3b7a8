"""A seal's file has one text: cut, changed, grown, swollen or badly meant files are told, never followed."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealing import OWNER, fingerprint, keyed_claim, line_of, opened, sealed

from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError, EvidenceError, UsageError
from ownmark.evidence import bundle, seal
from ownmark.evidence.bundle import VERSION, Bundle, read
from ownmark.evidence.timestamp import Stamp

STAMPED = replace(sealed(), stamps=(Stamp("http://authority", 2**64 - 1, b"token"),), opened=(2, 0))
EVERY = {
    "sealed": sealed(),
    "stamped": STAMPED,
    "one set": opened(),
    "one set, stamped": replace(opened(), stamps=STAMPED.stamps, opened=(0,)),
    "whole": seal.opened(sealed(fingerprint()), fingerprint(), OWNER, None),
}
every_bundle = pytest.mark.parametrize("one", EVERY.values(), ids=EVERY)


def record_of(one: Bundle) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(one.to_bytes().split(b"\n")[0])
    return record


@every_bundle
def test_what_was_written_is_read(one: Bundle, tmp_path: Path) -> None:
    one.save(tmp_path / "file")
    again = read(tmp_path / "file")
    assert again == one
    assert again.to_bytes() == one.to_bytes()
    assert again.digest == one.digest == sealed(fingerprint() if one is EVERY["whole"] else None).digest


@every_bundle
def test_one_changed_byte_anywhere_is_an_error(one: Bundle) -> None:
    """Of a long file every third or fifth byte, each in another bit; every byte is changed of the golden ones."""
    data = one.to_bytes()
    for place in range(0, len(data), len(data) // 2900 | 1):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        with pytest.raises(ClaimError):
            Bundle.from_bytes(bytes(changed))


@every_bundle
def test_a_file_cut_at_any_length_or_grown_is_an_error(one: Bundle) -> None:
    data = one.to_bytes()
    for length in range(0, len(data), 7):
        with pytest.raises(EvidenceError, match="truncated"):
            Bundle.from_bytes(data[:length])
    for more in (b"\0", b"\n", data):
        with pytest.raises(EvidenceError):
            Bundle.from_bytes(data + more)


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_another_error(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        Bundle.from_bytes(data + b"\n")


def swapped(**changes: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda record: record | changes


def inside(*path: str, value: object) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The record with another value deep in it."""

    def changed(record: dict[str, Any]) -> dict[str, Any]:
        *above, last = path
        holder: Any = record
        for name in above:
            holder = holder[0] if name == "0" else holder[name]
        holder[last] = value
        return record

    return changed


@pytest.mark.parametrize(
    "change",
    [
        swapped(format="another"),
        swapped(version=VERSION + 1),
        swapped(version="1"),
        swapped(version=True),
        swapped(more=1),
        swapped(stamps=None),
        swapped(stamps=[{}]),
        swapped(stamps=[EVERY["stamped"].stamps[0].record] * 17),
        swapped(opened=[-1]),
        swapped(opened=[True]),
        swapped(opened=[1, 1]),
        swapped(opened="0"),
        swapped(envelope=[]),
        swapped(opening={}),
        swapped(opening=None),
        inside("envelope", "payloadType", value="text/plain"),
        inside("envelope", "payload", value="e30="),
        inside("envelope", "payload", value=5),
        inside("envelope", "payload", value="\u00e9"),
        inside("envelope", "signatures", value=[]),
        inside("envelope", "signatures", "0", "keyid", value="short"),
        inside("envelope", "signatures", "0", "alg", value="none"),
        inside("opening", "set", value=-1),
        inside("opening", "set", value=1.5),
        inside("opening", "set", value="1"),
        inside("opening", "blinds", value=["short"]),
        inside("opening", "blinds", value=None),
        inside("opening", "proofs", value="none"),
        inside("opening", "proofs", value=[["short"]]),
        inside("opening", "bytes", value=True),
        inside("opening", "bytes", value=10 * 2**30),
        inside("opening", "claim", value="00" * 32),
    ],
)
def test_a_file_of_another_form_is_an_error_though_its_digest_fits(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    head, _, claim = opened().to_bytes().partition(b"\n")
    record = json.loads(head)
    assert Bundle.from_bytes(line_of(record) + claim) == opened()
    with pytest.raises(EvidenceError):
        Bundle.from_bytes(line_of(change(record)) + claim)


def test_a_newer_version_is_told_to_be_one() -> None:
    with pytest.raises(EvidenceError, match=rf"version {VERSION + 1}.*update ownmark"):
        Bundle.from_bytes(line_of(record_of(sealed()) | {"version": VERSION + 1}))


@pytest.mark.parametrize("name", ["missing", ".", "claim"])
def test_what_is_no_seal_is_named(name: str, tmp_path: Path) -> None:
    keyed_claim().save(tmp_path / "claim")
    with pytest.raises(EvidenceError, match=str(tmp_path)):
        read(tmp_path / name)


BOMBS: dict[str, Callable[[Path], object]] = {
    "sparse": lambda path: os.truncate(path, 10 * 2**30),
    "deep": lambda path: path.write_bytes(b"[" * 10**6 + b"\n"),
    "wide": lambda path: path.write_bytes(b"[" + b"[]," * 340_000 + b"[]]\n"),
    "long": lambda path: path.write_bytes(b'{"a":"' + b"a" * (64 * 2**20) + b'"}\n'),
    "digits": lambda path: path.write_bytes(b"9" * 10**6 + b"\n"),
    "announced": lambda path: path.write_bytes(line_of(inside("opening", "bytes", value=10 * 2**30)(record_of(opened())))),
}
READER = """
import resource, sys
from pathlib import Path
from ownmark.errors import EvidenceError
from ownmark.evidence.bundle import read
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    read(Path(sys.argv[1]))
except EvidenceError:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_seconds_and_in_200_megabytes(name: str, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.touch()
    BOMBS[name](bomb)
    ran = subprocess.run([sys.executable, "-c", READER, bomb], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 200 * 1024, "kilobytes"
    started = time.process_time()
    with pytest.raises(EvidenceError):
        read(bomb)
    assert time.process_time() - started < 5


def test_what_could_not_be_read_again_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for limit in ("MOST_LINE", "MOST_CLAIM"):
        with monkeypatch.context() as small:
            small.setattr(bundle, limit, 100)
            with pytest.raises(UsageError, match="make smaller sets"):
                opened().save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_or_a_kill_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sealed().save(tmp_path / "seal")
    before = (tmp_path / "seal").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for owner, step in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as broken:
            broken.setattr(owner, step, full)
            with pytest.raises(UsageError, match="No space left"):
                STAMPED.save(tmp_path / "seal")
        assert (tmp_path / "seal").read_bytes() == before
        assert [file.name for file in tmp_path.iterdir()] == ["seal"]


def test_an_opened_set_shows_its_own_triggers_and_key_and_no_others() -> None:
    data, whole = opened(1).to_bytes(), keyed_claim()
    assert whole.images[4:8].tobytes() in data
    for hidden in (whole.images[:4], whole.images[8:]):
        assert all(image.tobytes() not in data for image in hidden)
    part = opened(1).opening
    assert part is not None
    assert isinstance(part.claim, Claim)
    for secret in (bytes(range(32)), OWNER.secret, OWNER.signing.private_bytes_raw()):
        assert secret.hex().encode() not in data
        assert secret not in data


def test_a_seal_shows_no_trigger_no_label_and_no_key() -> None:
    one, claim = sealed().to_bytes(), keyed_claim()
    payload = sealed().envelope.payload
    for secret in (bytes(range(32)).hex().encode(), OWNER.secret.hex().encode(), claim.images[0].tobytes()):
        assert secret not in one + payload
    assert set(json.loads(payload)["predicate"]["terms"]["tests"][0]["null"]) == {
        *["name", "triggers", "classes", "grinding", "context"]
    }


def test_the_judges_side_needs_no_torch() -> None:
    code = "import sys, ownmark.evidence.admissibility, ownmark.evidence.seal; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_claim_in_place_of_its_seal_is_told_with_the_commands_that_make_one(tmp_path: Path) -> None:
    fingerprint().save(tmp_path / "my.claim")
    with pytest.raises(EvidenceError, match=r"not a seal.*of a claim, `ownmark seal` makes one"):
        read(tmp_path / "my.claim")
