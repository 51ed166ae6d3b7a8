"""A slip of the hand costs nothing: no command writes over what it was given to read, or one file twice."""

import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from workshop import ownmark

from ownmark.cli.app import COMMANDS
from ownmark.cli.commands.bench import Bench
from ownmark.cli.overwriting import WRITTEN, check_overwrites_nothing

ASKED = "verify my.claim s.onnx --report"
JUDGED = "judge d.opened --suspect s.onnx --own o.onnx --reference same-data=r.onnx --key J.key --seen 2026-01-01 --out"


@pytest.mark.parametrize(
    "line",
    [
        f"{ASKED} my.claim",
        f"{ASKED} ./s.onnx",
        f"{ASKED} link.onnx",
        "verify my.claim m:build --weights w.pt --report w.pt",
        "verify my.claim m:build --weights w.pt --report m.py",
        "verify my.claim 'm:build(width=2)' --weights w.index.json --report w-1.pt",
        "verify my.claim hf:folder --report folder/config.json",
        f"{ASKED} s.onnx.data",
        "report my.claim a.onnx n.xml --out n.bin",
        "report my.claim a.onnx s.onnx --out s.onnx",
        "calibrate my.claim a.onnx s.onnx --out s.onnx",
        "scan my.claim s.onnx --keep my.claim",
        "attack m:build --weights w.pt --data images --attack Prune() --out w.pt",
        "protect m:build --weights w.pt --data images --out w.pt",
        "protect m:build --weights w.pt --data images --out new.claim --marked new.claim",
        "protect m:build --weights w.pt --data images --reference r.onnx --out r.onnx",
        "open my.sealed --claim my.claim --key J.key --out my.claim",
        f"{JUDGED} J.key",
        f"{JUDGED} r.onnx",
        f"{JUDGED} v.json --page d.opened",
        f"{JUDGED} v.json --spdx v.json",
        "judge d.opened --offline v.json --page v.json",
        "answer d.opened --model s.onnx --key J.key --out a.json --page s.onnx --seen 2026-01-01",
    ],
)
def test_no_command_writes_over_what_it_reads(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("my.claim", "my.sealed", "s.onnx", "a.onnx", "o.onnx", "r.onnx", "w.pt", "J.key", "d.opened")
    beside = ("m.py", "w.index.json", "w-1.pt", "s.onnx.data", "n.xml", "n.bin", "folder/config.json")
    Path("folder").mkdir()
    for name in (*names, *beside, *(["v.json"] if "--offline" in line else [])):
        Path(name).write_text(name, encoding="utf-8")
    Path("link.onnx").symlink_to("s.onnx")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    ran = ownmark(capsys, *shlex.split(line))
    assert ran.code == 2
    assert "and would be lost; name another file" in ran.err.replace("\n", " ")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_calibrate_may_write_over_the_claim_that_it_calibrates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.claim").write_text("{}", encoding="utf-8")
    ran = ownmark(capsys, "calibrate", "my.claim", "s.onnx", "--out", "my.claim")
    assert (ran.code, "not a claim file but JSON" in ran.err.replace("\n", " ")) == (4, True)


def test_a_word_that_is_no_file_may_be_the_name_of_an_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        check_overwrites_nothing(Bench(recipe="skin", out=Path("skin")))
        Path("skin").mkdir(exist_ok=True)


def test_every_file_that_a_command_offers_to_write_is_watched() -> None:
    offered = {
        one.name
        for command in COMMANDS
        for one in fields(command)  # type: ignore[arg-type]
        for info in getattr(one.type, "__metadata__", ())
        if (info.help or "").startswith(("Write ", "Where a ", "Where every ", "The ledger")) or "to write" in (info.help or "")
    }
    assert offered - {"whole", "again", "data", "key"} <= {*WRITTEN, "references_cache", "claim"}, offered
