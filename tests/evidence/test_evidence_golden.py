"""What earlier versions sealed is read and found as it was then, for ever, on any machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from claims.findings import told
from claims.make import bundles
from judging import marked, reference, session
from sealing import THIEF

from ownmark import canonical
from ownmark.claims.claim import Claim
from ownmark.errors import ClaimError
from ownmark.evidence import timestamp
from ownmark.evidence.admissibility import Trust, checked
from ownmark.evidence.bundle import Bundle, read
from ownmark.evidence.envelope import from_record
from ownmark.evidence.ruling import Outcome, opened_part, ruled
from ownmark.evidence.verdict_file import recomputed

HERE = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]
NOW = {"v1": Outcome.INCONCLUSIVE, "v2": Outcome.STRONG}  # what the verdict of each version's copy deserves today
VERSIONS = sorted(path for path in (Path(__file__).parents[1] / "claims").glob("v*") if path.is_dir())
JUDGE = """
import sys, json
from datetime import datetime
from pathlib import Path
from claims.findings import told
from ownmark.evidence import timestamp
from ownmark.evidence.bundle import read
from ownmark.evidence.admissibility import Trust
trust = Trust(timestamp.roots_in(Path(sys.argv[1])), now=datetime.fromisoformat(sys.argv[3]))
print(json.dumps(told(read(Path(sys.argv[2])), trust)))
"""

CUT_OFF = """
import socket, sys, time
def refuse(*_, **__):
    raise OSError("no network")
socket.socket.connect = socket.create_connection = refuse
now = time.time
time.time = lambda: now() + 365 * 86400
from ownmark.cli import main
sys.exit(main())
"""


def expected(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return found


def trust_of(folder: Path) -> Trust:
    then = expected(folder)
    return Trust(timestamp.roots_in(folder / "root.pem"), then["owner"], now=datetime.fromisoformat(then["now"]))


def every_file() -> Iterator[Any]:
    for folder in VERSIONS:
        for name, found in expected(folder)["files"].items():
            yield pytest.param(folder / name, found, id=f"{folder.name}/{name}")


def test_there_are_files_of_every_version_and_kind() -> None:
    assert [folder.name for folder in VERSIONS][:1] == ["v1"]
    kinds = {path.suffix for folder in VERSIONS for path in folder.iterdir()}
    assert kinds == {".sealed", ".opened", ".claim", ".pem", ".json", ".judged", ".verdict"}
    standings = {one["standing"] for _, one in (param.values for param in every_file()) if isinstance(one, dict)}
    assert standings == {"IN_TIME", "UNTIMESTAMPED"}


@pytest.mark.parametrize(("path", "found"), list(every_file()))
def test_a_file_of_any_version_is_found_as_it_was_then(path: Path, found: Any) -> None:
    """Fault 46."""
    if path.suffix == ".claim":
        assert Claim.load(path).digest == found
        return
    assert told(read(path), trust_of(path.parent)) == found
    assert read(path).to_bytes() == path.read_bytes()


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
def test_a_verdict_of_any_version_follows_from_its_record_to_the_byte(folder: Path) -> None:
    """Fault 46."""
    written = (folder / "copy.verdict").read_bytes()
    again = recomputed(written, read(folder / "copy.judged"))
    assert (again.judged.ruling.outcome, again.judge) == (NOW[folder.name], THIEF.public)
    assert again.judged.signed(THIEF).data == written


def test_a_verdict_of_version_1_says_what_it_ruled_and_what_it_deserves_now() -> None:
    """Its key depends on neither the pool nor the order of the classes, so that innocent models decide, and it had one."""
    folder = VERSIONS[0]
    judged = recomputed((folder / "copy.verdict").read_bytes(), read(folder / "copy.judged")).judged
    assert judged.was is not None
    assert judged.was["outcome"] == "MATCH (strong)"
    assert judged.ruling.outcome is Outcome.INCONCLUSIVE
    step = next(one for one in judged.ruling.steps if one.name == "J3 key")
    assert (step.passed, "version 1" in step.told) == (None, True)
    found = checked(read(folder / "copy.judged"), judged.trust, judged.seen)
    assert not found.exact
    part = opened_part(found)
    silent = tuple(reference(part, number) for number in range(1, 20))
    ruling = ruled(found, session(part, marked(part), own=marked(part), references=silent))
    assert (ruling.outcome, "sealed by version 1" in ruling.reason) == (Outcome.SUPPORTING, True), (
        "with innocents, but never strong"
    )


@pytest.mark.parametrize("name", ["keyed.sealed", "keyed-set-1.opened"])
def test_every_changed_byte_of_a_stamped_file_is_an_error(name: str) -> None:
    """Fault 7."""
    data = (VERSIONS[0] / name).read_bytes()
    for place in range(0, len(data), 3):  # every byte of today's files: test_evidence_bundle.py
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ClaimError):
            Bundle.from_bytes(changed)


def test_this_version_still_writes_the_same_bytes() -> None:
    """But for the tool's version, which the seal names: the newest folder was made by the version that it names."""
    newest = VERSIONS[-1]
    stamps = [read(newest / name).stamps[0] for name in ("keyed.sealed", "fingerprint.sealed")]
    for name, one in bundles(*stamps).items():
        if one.commitment.tool == read(newest / name).commitment.tool:
            assert one.to_bytes() == (newest / name).read_bytes()
        assert one.commitment.root == read(newest / name).commitment.root


def test_a_clock_a_home_and_a_language_change_nothing(tmp_path: Path) -> None:
    """Fault 45: the time of judging is an argument, so that no clock decides; the file lies under another name."""
    folder, place = VERSIONS[0], tmp_path / "a judge's d\u00e9sk.opened"
    place.write_bytes((folder / "keyed-set-1.opened").read_bytes())
    odd = {"HOME": "/nowhere", "LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PATH": os.environ["PATH"]}
    odd["PYTHONPATH"] = os.pathsep.join(HERE)
    call = [sys.executable, "-c", JUDGE, str(folder / "root.pem"), str(place), expected(folder)["now"]]
    ran = subprocess.run(call, env=odd, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == expected(folder)["files"]["keyed-set-1.opened"]


@pytest.mark.parametrize("language", ["C", "tr_TR.UTF-8"])
def test_a_verdict_is_computed_anew_without_a_network_a_home_or_a_right_clock(language: str, tmp_path: Path) -> None:
    """Fault 45, on the command line: every socket is refused, and the clock is a year ahead."""
    desk = tmp_path / "a judge's d\u00e9sk"
    desk.mkdir()
    for name in ("copy.judged", "copy.verdict"):
        (desk / name).write_bytes((VERSIONS[-1] / name).read_bytes())
    odd = {"HOME": "/nowhere", "LC_ALL": language, "TZ": "Pacific/Kiritimati", "PATH": os.environ["PATH"]}
    odd["PYTHONPATH"] = os.pathsep.join(HERE)
    words = ["judge", "copy.judged", "--offline", "copy.verdict", "--json"]
    ran = subprocess.run([sys.executable, "-c", CUT_OFF, *words], env=odd, cwd=desk, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told.pop("verdict") == "copy.verdict"
    written = json.loads(from_record(canonical.loads((VERSIONS[-1] / "copy.verdict").read_bytes())).payload)
    more = ("judge", "terms", "answers", "ruled_by_version_1", "doubt")
    assert {name: value for name, value in told.items() if name not in more} == written["predicate"]["ruling"] | {"exit_code": 0}
