"""Numbers that no array holds, ledgers that somebody edited, claims beyond every range: the stranger's fault, told as such."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import stamina
from claim_files import canonical, forged, opened, resealed
from conftest import small_claim
from loopback import Asked, Said, said, serving, transport
from torch import nn
from v2_server import V2, oip

from ownmark.claims.claim import Claim
from ownmark.cli import main
from ownmark.errors import AnswerError, ClaimError, SuspectError, UsageError, blamed, in_one_line
from ownmark.scoring.readings import is_number
from ownmark.suspects.http.http_json import HttpJson
from ownmark.suspects.http.ledger import Ledger, Reply
from ownmark.suspects.http.mapping import BASE64, Mapping
from ownmark.suspects.http.request import Request
from ownmark.verdicts.verify import verify

HUGE = "9" * 5000
ADDRESS = "/v2/models/suspect"


def output(data: str, datatype: str = "FP32", shape: str = "[1, 7]") -> Said:
    """An answer whose numbers are written as they are here."""
    body = f'{{"outputs": [{{"name": "scores", "datatype": "{datatype}", "shape": {shape}, "data": {data}}}]}}'
    return Said(body.encode(), headers={"content-type": "application/json"})


def row(value: str) -> str:
    return f"[{value}, 0, 0, 0, 0, 0, 0]"


OUT_OF_RANGE = {
    "a byte above 255": output(row("256"), "UINT8"),
    "a byte below 0": output(row("-1"), "UINT8"),
    "a whole number beyond 2^63": output(row(str(2**63)), "INT64"),
    "a number beyond every float": output(row("1e400")),
    "a whole number beyond every float": output(row("9" * 400)),
    "5,000 digits": output(row(HUGE)),
    "a shape beyond every number": output(row("1"), shape="[1, 1e400]"),
    "a shape of 5,000 digits": output(row("1"), shape=f"[1, {HUGE}]"),
    "a class of 5,000 digits": output(f'["0.9:{HUGE}"]', "BYTES", "[1, 1]"),
    "a header of 5,000 digits": Said(b"{}", headers={"inference-header-content-length": HUGE}),
}


def answering(model: nn.Module, answer: Said) -> Callable[[Asked], Said]:
    """A server that describes itself well and answers that."""
    sound = V2(model, extensions=())
    return lambda asked: answer if asked.path.endswith("/infer") else sound(asked)


@pytest.mark.parametrize("kind", OUT_OF_RANGE)
def test_numbers_of_a_server_that_are_out_of_range_are_no_answer(kind: str, model: nn.Module, claim: Claim) -> None:
    with serving(answering(model, OUT_OF_RANGE[kind])) as server, transport() as carrier:
        with pytest.raises(AnswerError):
            verify(claim, oip(server.url, carrier))
        assert len(server.queries()) == 1


def test_a_server_of_numbers_out_of_range_ends_in_exit_code_5(
    model: nn.Module, claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    claim.save("my.claim")
    with serving(answering(model, OUT_OF_RANGE["a byte above 255"])) as server:
        assert main(["verify", "my.claim", server.url + ADDRESS, "--ledger", "one.ledger"]) == 5
    assert "does not follow the Open Inference Protocol" in capsys.readouterr().err


@pytest.mark.parametrize("shape", ["[1e400, 3, 16, 16]", "[[], 3]"])
def test_a_server_that_describes_itself_in_impossible_numbers_is_no_suspect(shape: str, claim: Claim) -> None:
    about = f'{{"inputs": [{{"name": "image", "datatype": "FP32", "shape": {shape}}}], "outputs": []}}'
    with serving(lambda _: Said(about.encode())) as server, transport() as carrier, pytest.raises(SuspectError):
        verify(claim, oip(server.url, carrier))


@pytest.mark.parametrize("answer", [f"[{HUGE}]", '{"scores": [1e400]}', f'{{"scores": [{"9" * 400}]}}', f'{{"label": "{HUGE}"}}'])
def test_a_json_api_whose_numbers_are_out_of_range_gives_no_answer(answer: str, claim: Claim) -> None:
    where: dict[str, Any] = {"label": "label"} if "label" in answer else {"scores": "scores"}
    with serving(lambda _: Said(answer.encode())) as server, transport() as carrier:
        mapping = Mapping(url=server.url, body={"image": BASE64}, **where)
        with pytest.raises(AnswerError):
            verify(claim, HttpJson(mapping, claim.classes, carrier))


@pytest.mark.parametrize("wait", [HUGE, "9" * 400, "Mon, 01 Jan 99999 00:00:00 GMT", f"Mon, 01 Jan {HUGE} 00:00:00 GMT", "1e400"])
def test_a_server_that_asks_to_wait_forever_is_a_suspect_that_cannot_be_asked(wait: str) -> None:
    with (
        serving(lambda _: said({}, 429, retry_after=wait)) as server,
        transport() as carrier,
        stamina.set_testing(True, attempts=2),
    ):
        with pytest.raises(SuspectError) as raised:
            carrier.send(Request("POST", server.url, b"x", queries=1))
        assert len(str(raised.value)) < 400


# ledgers


BROKEN = {
    "no answer": "answer = NULL",
    "an answer without its digest": "digest = NULL",
    "no headers": "headers = NULL",
    "headers that are no JSON": "headers = '{'",
    "headers that are a list": "headers = '[1]'",
    "headers that are numbers": "headers = '{\"content-type\": 7}'",
    "no status": "status = NULL",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_ledger_whose_answers_were_edited_is_no_answer(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "suspect.ledger"
    ledger = Ledger(file)
    ledger.complete(ledger.send("aa", 1), Reply(200, {"content-type": "application/json"}, b"[1]"), 1)
    ledger.close()
    with sqlite3.connect(file) as database:
        database.execute(f"UPDATE requests SET {BROKEN[kind]}")  # noqa: S608 - from above
    database.close()
    with pytest.raises((SuspectError, UsageError), match=r"was modified|not written by you"), closing(Ledger(file)) as edited:
        edited.answer("aa")


def test_a_ledger_of_another_table_is_named_and_not_used(tmp_path: Path) -> None:
    file = tmp_path / "suspect.ledger"
    Ledger(file).close()
    with sqlite3.connect(file) as database:
        database.execute("ALTER TABLE requests DROP COLUMN answer")
    database.close()
    with pytest.raises(UsageError, match="not a ledger that this ownmark can read"):
        Ledger(file)


# claims


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**309])
def test_a_claim_with_a_threshold_beyond_every_float_is_rejected(value: int) -> None:
    described = opened(small_claim())["claim"]
    described["tests"][0]["match"]["threshold"] = value
    with pytest.raises(ClaimError):
        Claim.from_bytes(forged(small_claim(), resealed(described)))


@pytest.mark.parametrize("place", ["threshold", "mean", "target_score"])
def test_inspecting_a_claim_of_impossible_numbers_is_exit_code_4(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = opened(small_claim())["claim"]
    if place == "threshold":
        described["tests"][0]["match"]["threshold"] = 10**400
    elif place == "mean":
        described["preprocess"]["mean"][0] = 10**400
    else:
        described["tests"][0]["target_score"] = 10**400
    file = tmp_path / "bad.claim"
    file.write_bytes(forged(small_claim(), resealed(described)))
    assert main(["inspect", str(file)]) == 4
    assert "bad.claim" in capsys.readouterr().err.replace("\n", "")


def test_a_claim_with_5000_digits_is_rejected(tmp_path: Path) -> None:
    text = canonical(opened(small_claim())).replace('"target_score":1.0', f'"target_score":{HUGE}')
    assert HUGE in text
    (tmp_path / "bad.claim").write_bytes(forged(small_claim(), text))
    assert main(["inspect", str(tmp_path / "bad.claim")]) == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, True, "1", None])
def test_what_no_float_can_hold_is_no_number(value: object) -> None:
    assert not is_number(value)
    assert is_number(1.7e308)


# the mechanism


def test_blame_passes_our_own_errors_and_ctrl_c() -> None:
    for passed in (ClaimError("ours"), KeyboardInterrupt()):
        with pytest.raises(type(passed)) as raised, blamed(AnswerError, "it"):
            raise passed
        assert raised.value is passed
    with (
        pytest.raises(AnswerError, match="it cannot be read: OverflowError: no message"),
        blamed(AnswerError, "it cannot be read"),
    ):
        raise OverflowError


def test_what_a_stranger_says_is_told_in_one_printable_line() -> None:
    assert in_one_line(ValueError("red \x1b[31m\nsecond")) == "ValueError: red ?[31m"
    assert len(in_one_line(ValueError("x" * 10**6))) < 400
