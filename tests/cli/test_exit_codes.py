"""1 means NO MATCH and nothing else: whatever goes wrong has another exit code, one line with the cause, and JSON if asked."""

import errno
import re
import shlex
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from workshop import MODEL, ownmark, shop_in

from ownmark.cli.answer import Command
from ownmark.cli.app import COMMANDS

Capture = pytest.CaptureFixture[str]
VERIFY = ("verify", "upheld.claim", MODEL, "--weights", "model.safetensors")
EVERY_COMMAND = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.__name__)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


class UntellableError(Exception):
    def __str__(self) -> NoReturn:
        raise RuntimeError("not even this")


def raising(monkeypatch: pytest.MonkeyPatch, command: type[Command], error: BaseException) -> list[str]:
    """The words of the command's own example; running it raises the error."""

    def run(_: Command) -> NoReturn:
        raise error

    monkeypatch.setattr(command, "run", run)
    return shlex.split(command.example)[1:]


# errors that nobody foresaw


@EVERY_COMMAND
def test_an_error_that_nobody_foresaw_is_one_line_and_exit_code_2(
    command: type[Command], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    ran = ownmark(capsys, *raising(monkeypatch, command, ZeroDivisionError("a share of nothing\nsecond line")))
    assert (ran.code, ran.out) == (2, "")
    line = ran.err.replace("\n", " ").replace("  ", " ")
    assert line.startswith("Error: unexpected error: ZeroDivisionError: a share of nothing (test_exit_codes.py, line")
    assert "second line" not in line
    assert "Traceback" not in line


@EVERY_COMMAND
def test_with_json_an_error_that_nobody_foresaw_is_an_object(
    command: type[Command], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    ran = ownmark(capsys, *raising(monkeypatch, command, KeyError("x")), "--json")
    assert ran.code == ran.record["exit_code"] == 2
    assert ran.record["error"]["kind"] == "KeyError"
    assert "unexpected error: KeyError: 'x'" in ran.record["error"]["message"]


@EVERY_COMMAND
@pytest.mark.parametrize("first", [True, False])
def test_with_traceback_the_rest_is_shown_wherever_the_word_stands(
    first: bool,  # noqa: FBT001 - the test's parameter
    command: type[Command],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    words = raising(monkeypatch, command, ZeroDivisionError("a share of nothing"))
    ran = ownmark(capsys, *(["--traceback", *words] if first else [*words, "--traceback"]))
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback (most recent call last)" in ran.err
    assert "in run\n" in ran.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SystemExit(1), 2, "unexpected error: SystemExit: 1"),
        (SystemExit(0), 2, "unexpected error: SystemExit: 0"),
        (UntellableError(), 2, "unexpected error: UntellableError: no message"),
        (MemoryError(), 2, "not enough memory"),
        (RecursionError("too deep"), 2, "unexpected error: RecursionError: too deep"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 2, "unexpected error: BrokenPipeError"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a/b.onnx"),
            2,
            "does not give access to a/b.onnx: Permission denied",
        ),
        (OSError(errno.ESTALE, "Stale file handle", "c.claim"), 2, "does not give access to c.claim: Stale file handle"),
        (ModuleNotFoundError("no torch", name="torch"), 2, "pip install 'ownmark[torch]'"),
        (ModuleNotFoundError("no other", name="other"), 2, "unexpected error: ModuleNotFoundError: no other"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_no_error_of_any_kind_ends_in_the_exit_code_of_a_verdict(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    words = raising(monkeypatch, COMMANDS[3], error)
    ran = ownmark(capsys, *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err.replace("\n", " ")
    assert ownmark(capsys, *words, "--json").record["exit_code"] == code


def test_a_command_line_that_cannot_be_read_says_why_in_json_too(capsys: Capture) -> None:
    ran = ownmark(capsys, "inspect", "my.claim", "--colour", "red", "--json")
    assert (ran.code, ran.record["exit_code"]) == (2, 2)
    assert "--colour" in ran.record["error"]["message"]


# the suspect's own errors

SUSPECT = """
import torch
from torch import nn


class Odd(nn.Module):
    def forward(self, images):
        {does}


def build():
    return Odd()
"""


@pytest.mark.parametrize(
    "does",
    ["raise KeyError('a layer')", "raise SystemExit(1)", "raise BrokenPipeError(32, 'x')", "return 1 / 0", "return images.no"],
)
def test_whatever_a_suspect_raises_while_it_is_asked_is_exit_code_5(
    does: str, shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "oddsuspect", raising=False)
    (shop / "oddsuspect.py").write_text(SUSPECT.format(does=does), encoding="utf-8")
    ran = ownmark(capsys, "verify", "upheld.claim", "oddsuspect:build", "--json")
    assert ran.code == ran.record["exit_code"] == 5
    assert "oddsuspect:build cannot" in ran.record["error"]["message"]


def test_what_a_users_model_prints_does_not_spoil_the_json(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "oddsuspect", raising=False)
    chatty = "print('loading ...'); from usersmodel import build as original; return original()"
    text = SUSPECT.replace("return Odd()", chatty).format(does="pass")
    (shop / "oddsuspect.py").write_text(text, encoding="utf-8")
    ran = ownmark(capsys, "verify", "upheld.claim", "oddsuspect:build", "--weights", "model.safetensors", "--json")
    assert ran.record["outcome"] == "MATCH (supporting)"
    assert "loading ..." in ran.err


# hostile words


@pytest.mark.parametrize("content", [b"", bytes(range(256)) * 8, None], ids=["empty", "garbage", "folder"])
@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("bad.claim", 4, ("inspect", "bad.claim")),
        ("bad.claim", 4, ("verify", "bad.claim", MODEL)),
        ("bad.onnx", 2, ("verify", "upheld.claim", "bad.onnx")),
        ("bad.safetensors", 2, (*VERIFY[:-1], "bad.safetensors")),
        ("bad.pt", 2, (*VERIFY[:-1], "bad.pt")),
        ("bad.sealed", 4, ("open", "bad.sealed", "--claim", "upheld.claim", "--key", "no.key", "--out", "x")),
    ],
)
def test_a_file_of_another_kind_is_refused_in_one_line(
    name: str, code: int, words: tuple[str, ...], content: bytes | None, shop: Path, capsys: Capture
) -> None:
    if content is None:
        (shop / name).mkdir()
    else:
        (shop / name).write_bytes(content)
    ran = ownmark(capsys, *words, "--json")
    assert ran.code == ran.record["exit_code"] == code
    assert name in ran.record["error"]["message"]
    assert "unexpected error" not in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("protect", MODEL, "--data", "images", "--out", "x", "--size", "999999999"),
        ("protect", MODEL, "--data", "images", "--out", "x", "--size", "9" * 30),
        (*VERIFY, "--alpha", "nan"),
        (*VERIFY, "--alpha", "1e400"),
        (*VERIFY, "--mean", "nan", "--std", "1"),
        ("verify", "upheld.claim", "http://127.0.0.1:9/v2/models/x", "--at-once", "9" * 30),
        ("serve", "copy.onnx", "--port", "99999"),
    ],
)
def test_a_number_out_of_range_in_an_option_is_refused(words: tuple[str, ...], shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    ran = ownmark(capsys, *words, "--json")
    assert ran.code == ran.record["exit_code"] == 2
    assert "unexpected error" not in ran.err


# the page


def test_every_case_of_an_exit_code_names_a_test_that_exists() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "faults.md").read_text(encoding="utf-8").split("## Exit codes, case by case")[1]
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    texts = (file.read_text(encoding="utf-8") for file in (root / "tests").rglob("test_*.py"))
    defined = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    for row in rows:
        cells = row.strip("|").split("|")
        assert len(cells) == 4, row
        assert set(cells[2].strip().split(" or ")) <= {"0", "1", "2", "3", "4", "5", "130", "its own"}, row
        assert set(re.findall(r"`([^`]*)`|(\S+)", cells[3])) <= {(name, "") for name in defined}, row
        assert cells[3].strip(), row
    assert len(rows) > 70
