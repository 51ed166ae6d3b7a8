"""`ownmark judge` of a suspect behind an address: the same verdict, with every query in a ledger that the verdict names."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import stamina
from authority import needs_openssl
from courtroom import JUDGE, OTHER, WORDS, Memory, furnish
from judging import SHAPE, keyed
from loopback import Asked, Said, Server, said, serving
from v2_server import V2
from workshop import ownmark, refused

from ownmark import canonical
from ownmark.evidence import bundle, envelope, verdict_file
from ownmark.suspects.http.ledger import Ledger, Reply

Capture = pytest.CaptureFixture[str]
PLACE = "/v2/models/suspect"
LEDGER = "mine/asked.ledger"
KNOWN = ["--tensor", "image:FP32:nhwc:scores", "--outputs", "logits", "--at-once", "1", "--ledger", LEDGER]
pytestmark = needs_openssl


def speaking(*marks: bytes) -> V2:
    """A server of a model that holds the marks of these keys."""
    return V2(Memory(*(keyed(master=one) for one in marks)), shape=(-1, *SHAPE), listed=False)


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = furnish(tmp_path_factory.mktemp("court"))
    (folder / "mine").mkdir()
    return folder


@pytest.fixture(autouse=True)
def _in_court(court: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(court)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)
    with stamina.set_testing(True, attempts=2):
        yield
    for ledger in court.glob("mine/*"):
        ledger.unlink()


def against(server: Server) -> list[str]:
    return [*JUDGE, "--suspect", server.url + PLACE, *KNOWN]


def test_a_copy_behind_an_address_is_a_strong_match_and_the_verdict_names_the_ledger(capsys: Capture) -> None:
    with serving(speaking(bytes(range(32)))) as server:
        ran = ownmark(capsys, *against(server), "--json")
        asked = len(server.queries())
    assert (ran.code, ran.record["outcome"]) == (0, "MATCH (strong)"), ran.out
    payload = envelope.from_record(canonical.loads(Path("verdict.json").read_bytes())).payload
    suspect = json.loads(payload)["predicate"]["session"]["heard"][0]
    ledger = Ledger(LEDGER)
    assert (suspect["name"], suspect["ledger"], ledger.answered) == (server.url + PLACE, ledger.digest, asked)
    ledger.close()
    again = verdict_file.recomputed(Path("verdict.json").read_bytes(), bundle.read(Path("a.opened")))
    assert again.judged.session.suspect.ledger == suspect["ledger"]


def test_an_innocent_behind_an_address_is_no_match(capsys: Capture) -> None:
    with serving(speaking(OTHER)) as server:
        assert ownmark(capsys, *against(server)).code == 1


def swapping(after: int) -> Callable[[Asked], Said]:
    """A server that puts an innocent in the copy's place after so many requests."""
    copy, innocent = speaking(bytes(range(32))), speaking()
    return lambda asked: (copy if asked.place < after else innocent)(asked)


@pytest.mark.parametrize("after", [75, 85])  # the order is random: nearer to an end fewer repeats stand on both sides
def test_a_suspect_that_is_swapped_while_it_is_asked_is_inconclusive(after: int, capsys: Capture) -> None:
    """Fault 37."""
    with serving(swapping(after)) as server:
        ran = ownmark(capsys, *against(server), "--json")
    assert (ran.code, ran.record["outcome"]) == (3, "INCONCLUSIVE"), ran.err


def test_a_server_that_is_down_is_unreachable_and_gives_no_verdict(court: Path, capsys: Capture) -> None:
    (court / "verdict.json").unlink(missing_ok=True)
    with serving(lambda _: said({"error": "down"}, 503)) as server:
        ran = ownmark(capsys, *against(server))
    assert ran.code == 5
    assert not (court / "verdict.json").exists()


def test_where_no_verdict_can_be_written_nobody_is_asked(court: Path, capsys: Capture) -> None:
    """Fault 4."""
    (court / "closed").mkdir()
    (court / "closed").chmod(0o500)
    with serving(speaking()) as server:
        words = [word if word != "verdict.json" else "absent/verdict.json" for word in against(server)]
        refused(capsys, words, 2, "there is no folder absent")
        refused(capsys, [*against(server), "--ledger", "absent/all.ledger"], 2, "there is no folder absent")
        assert not server.asked


def test_options_of_an_address_are_refused_for_a_file(capsys: Capture) -> None:
    refused(capsys, [*JUDGE, "--suspect", "b.onnx", "--ledger", "all.ledger"], 2, "is no web address")


def planted(file: Path, told: bytes, questions: list[Asked], **user: bytes) -> None:
    """A ledger with an answer to every question that a judge will ask, as a claimant would make it."""
    ledger = Ledger(file, **user)
    for place, one in enumerate(questions):
        ledger.complete(ledger.send(f"{place:064}", one.method == "POST"), Reply(200, {}, told), 1)
    ledger.close()


def test_a_ledger_that_the_claimant_made_is_refused_and_the_suspect_is_not_asked(court: Path, capsys: Capture) -> None:
    """The forger's key is not the judge's; nor are the rows that he writes into the judge's own ledger."""
    with serving(speaking(OTHER)) as server:
        ownmark(capsys, *against(server))
        questions = server.queries()
        asked = len(server.asked)
        own = (court / LEDGER).read_bytes()
        (court / LEDGER).unlink()
        planted(court / LEDGER, b"{}", questions, user=bytes(32))
        refused(capsys, against(server), 2, "was not started by you", "its answers are not used")
        (court / LEDGER).write_bytes(own)
        with closing(sqlite3.connect(court / LEDGER)) as database:
            database.execute("UPDATE requests SET answer = ?, digest = ?", (b"{}", hashlib.sha256(b"{}").hexdigest()))
            database.commit()
        refused(capsys, against(server), 2, "was not written by you")
        (court / LEDGER).unlink()
        (court / LEDGER).symlink_to(court / "mine/elsewhere")
        refused(capsys, against(server), 2, "is a symbolic link")
        assert not (court / "mine/elsewhere").exists()
        assert len(server.asked) == asked


def test_a_judge_names_his_ledger_and_it_never_lies_beside_the_evidence(capsys: Capture) -> None:
    with serving(speaking()) as server:
        words = [word for word in against(server) if word not in {"--ledger", LEDGER}]
        refused(capsys, words, 2, "name a ledger")
        refused(capsys, [*words, "--ledger", "all.ledger"], 2, "would lie beside the evidence a.opened")
        assert not server.asked


def test_a_ledger_of_another_hearing_is_refused(capsys: Capture) -> None:
    with serving(speaking()) as server:
        ownmark(capsys, *against(server))
        other = [word if word != "a.opened" else "b.opened" for word in against(server)]
        other = [word if word != "a.onnx" else "b.onnx" for word in other]
        refused(capsys, other, 2, "was started for a hearing about")


def test_a_hearing_that_goes_on_asks_nothing_twice_and_says_what_it_took_from_before(capsys: Capture) -> None:
    with serving(speaking(bytes(range(32)))) as server:
        first = ownmark(capsys, *against(server), "--json")
        asked = len(server.queries())
        again = ownmark(capsys, *against(server), "--json")
        assert len(server.queries()) == asked
    assert f"{asked} answers were taken from an earlier run" in again.err
    assert "earlier run" not in first.err
    assert {**again.record, "verdict": ""} == {**first.record, "verdict": ""}
    payload = envelope.from_record(canonical.loads(Path("verdict.json").read_bytes())).payload
    assert json.loads(payload)["predicate"]["environment"]["answers_from_before"] == str(asked)
