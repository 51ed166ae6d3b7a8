"""`ownmark verify --sequential` and `--decoys` on an address: few queries, resumed from the ledger, and never extended."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from asking import NAMES, exported
from branded import TRIGGERS, Branded, branded_claim, ordinary
from conftest import tiny
from loopback import Asked, Said, Server, said, serving
from PIL import Image
from v2_server import V2

from ownmark.cli import main
from ownmark.suspects.http.ledger import WHOLE, Ledger

MODEL = "/v2/models/suspect"
ALPHA = ("--alpha", "1e-6")
EARLY = ("--sequential", *ALPHA)
REPEATS, PROBES = 3, 40
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `ownmark verify my.claim ...` in a folder with the claim and decoys; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    branded_claim().save("my.claim")
    given = ordinary(each=2)
    for place, (image, label) in enumerate(zip(given.images, given.labels, strict=True)):
        folder = Path("normal", NAMES[label])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{place}.png")

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with stamina.set_testing(True, attempts=3):  # without waiting in between
            code = main(["verify", "my.claim", *words])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def copy() -> Iterator[Server]:
    with serving(V2(Branded(branded_claim()))) as server:
        yield server


@pytest.fixture
def innocent() -> Iterator[Server]:
    with serving(V2(Branded())) as server:
        yield server


def test_a_copy_and_an_innocent_are_told_apart_by_a_few_queries(run: Run, copy: Server, innocent: Server) -> None:
    for server, wanted, outcome in ((copy, 0, "MATCH (supporting)"), (innocent, 1, "NO MATCH")):
        code, out, _ = run(server.url + MODEL, *EARLY, "--json")
        record = json.loads(out)
        assert (code, record["outcome"]) == (wanted, outcome)
        assert record["queries"] == record["deciding"]["samples"] <= 20
        assert record["queries_spent"] == len(server.queries()) == record["queries"] + REPEATS
        assert (record["deciding"]["p"] <= 1e-6) == (code == 0)
        assert "log10_p" not in record["deciding"], "that of the whole claim"


def test_a_person_is_told_what_the_early_verdict_rests_on(run: Run, copy: Server) -> None:
    code, out, _ = run(copy.url + MODEL, *EARLY)
    assert code == 0
    assert f"of {TRIGGERS} triggers in keyed order" in out
    assert "holds under any stopping rule" in out


def test_an_interrupted_test_goes_on_from_the_ledger_and_comes_to_the_same_end(run: Run, copy: Server) -> None:
    fails = iter([True])

    def script(asked: Asked) -> Said:
        broken = asked.place == 6 and next(fails, False)
        return said({"error": "expired"}, 401) if broken else V2(Branded(branded_claim()))(asked)

    whole = json.loads(run(copy.url + MODEL, *EARLY, "--json", "--ledger", "one.ledger")[1])
    with serving(script) as server:
        assert run(server.url + MODEL, *EARLY, "--ledger", "two.ledger")[0] == 5
        before = len(server.queries())
        code, out, _ = run(server.url + MODEL, *EARLY, "--json", "--ledger", "two.ledger")
        assert code == 0
        assert len(server.queries()) == len(copy.queries()) + 1, "only the refused question is asked again"
        assert before > 1
    found = json.loads(out)
    assert (found["queries"], found["deciding"]) == (whole["queries"], whole["deciding"])


CHANGED: dict[str, tuple[str, ...]] = {
    "more queries": (*EARLY, "--max-queries", "30"),
    "no cap": EARLY,
    "another alpha": ("--sequential", "--alpha", "0.05", "--max-queries", "12"),
    "the whole claim": ALPHA,
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_test_cannot_be_extended_or_changed_after_its_first_query(kind: str, run: Run, innocent: Server) -> None:
    ledger = ("--ledger", "one.ledger")
    code, out, _ = run(innocent.url + MODEL, *EARLY, "--max-queries", "12", *ledger, "--json")
    assert (code, json.loads(out)["queries"]) == (3, 12 - REPEATS)
    asked = len(innocent.asked)
    code, _, err = run(innocent.url + MODEL, *CHANGED[kind], *ledger)
    assert code == 2
    assert "a test cannot be changed or extended" in " ".join(err.split())
    assert len(innocent.asked) == asked
    assert run(innocent.url + MODEL, *EARLY, "--max-queries", "12", *ledger)[0] == 3, "the same test may be read again"


def test_a_ledger_of_the_whole_claim_is_no_ledger_of_a_part(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a.ledger")
    ledger.begin()
    before = ledger.digest
    ledger.begin("at most 5")
    assert ledger.digest != before, "the rule is on record"
    ledger.begin("at most 5")
    ledger.close()
    assert Ledger(tmp_path / "a.ledger").spent == 0
    assert WHOLE not in "at most 5"


def test_a_cap_that_leaves_no_trigger_and_a_page_about_a_part_are_refused(run: Run, copy: Server) -> None:
    for words, message in ((("--max-queries", "3"), "leaves nothing"), (("--report", "page.html"), "leave one of them out")):
        code, _, err = run(copy.url + MODEL, *EARLY, *words)
        assert code == 2
        assert message in " ".join(err.split())
    assert copy.asked == []


def test_decoys_are_asked_first_and_their_findings_are_told(run: Run, copy: Server) -> None:
    code, out, err = run(copy.url + MODEL, *EARLY, "--decoys", "normal", "--json")
    record = json.loads(out)
    assert code == 0
    assert record["queries_spent"] == record["queries"] + REPEATS + PROBES
    assert "10 of 10 ordinary images correct" in err


def test_decoys_that_are_kept_with_the_claim_are_found(run: Run, copy: Server) -> None:
    Path("normal").rename("my.claim.decoys")
    code, _, err = run(copy.url + MODEL, *ALPHA)
    assert code == 0
    assert "10 of 10 ordinary images correct" in err
    assert len(copy.queries()) == TRIGGERS + REPEATS + PROBES


def test_what_decoys_cannot_settle_is_exit_code_3_and_makes_no_page(run: Run, tmp_path: Path) -> None:
    with serving(V2(Branded(branded_claim(), channel=2))) as server:
        code, out, err = run(server.url + MODEL, "--decoys", "normal", "--report", "page.html")
        assert code == 3
        assert "INCONCLUSIVE" in out
        assert "--blue-first" in out
        assert "no page" in err
        assert not (tmp_path / "page.html").exists()
        code, out, _ = run(server.url + MODEL, "--decoys", "normal", "--blue-first", "--json", "--ledger", "new.ledger")
        assert json.loads(out)["deciding"]["score"] < 1, "its marks are on the other order"


def test_a_dry_run_counts_decoys_repeats_and_the_cap(run: Run, copy: Server) -> None:
    for words, wanted in (
        (EARLY, TRIGGERS + REPEATS),
        ((*EARLY, "--decoys", "normal"), TRIGGERS + REPEATS + PROBES),
        ((*EARLY, "--max-queries", "12"), 12),
        (("--decoys", "normal"), TRIGGERS + REPEATS + PROBES),
    ):
        plan = json.loads(run(copy.url + MODEL, *words, "--dry-run", "--json")[1])
        assert plan["queries"] == wanted
    assert copy.asked == []


def test_a_file_can_be_asked_in_sequence_too_and_takes_no_decoys(run: Run, tmp_path: Path) -> None:
    exported(tiny(0, classes=len(NAMES)), tmp_path / "suspect.onnx")
    code, out, _ = run("suspect.onnx", *EARLY, "--json")
    assert code == 1
    assert json.loads(out)["queries"] < TRIGGERS
    code, _, err = run("suspect.onnx", "--decoys", "normal")
    assert code == 2
    assert "no web address" in err
