"""`ownmark verify` on an address: the model's own verdict, a ledger, a budget, and exit code 5 for whatever is no answer."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stamina
from asking import COUNT, claim_on
from loopback import Asked, Said, said, serving
from torch import nn
from v2_server import V2

from ownmark.claims.claim import Claim
from ownmark.cli import main
from ownmark.scoring.null_models import Innocents
from ownmark.suspects.local import Local
from ownmark.verdicts.verify import verify

QUERIES = 2 * COUNT + 3  # three are asked twice
MODEL = "/v2/models/suspect"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(claim: Claim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `ownmark verify my.claim ...` in a folder with the claim; gives exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    claim.save("my.claim")

    def call(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        with stamina.set_testing(True, attempts=3):  # without waiting in between
            code = main(["verify", "my.claim", *words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_the_verdict_is_the_models_own_and_names_the_ledger(run: Run, model: nn.Module, claim: Claim, tmp_path: Path) -> None:
    with serving(V2(model)) as server:
        code, out, err = run(server.url + MODEL)
    assert code == 0
    assert "MATCH (supporting)" in out
    (ledger,) = tmp_path.glob("my.claim.*.ledger")
    assert ledger.name in out
    assert ledger.name in err
    with serving(V2(model)) as server:
        code, out, _ = run(server.url + MODEL, "--json", "--ledger", "other.ledger", "--report", "page.html")
    record = json.loads(out)
    wanted = verify(claim, Local(model)).deciding
    assert (record["deciding"]["score"], record["deciding"]["p"]) == (wanted.score, wanted.p)
    assert (record["ledger"], record["queries"], record["queries_spent"]) == ("other.ledger", 2 * COUNT, QUERIES)
    assert len(record["ledger_digest"]) == 64
    assert MODEL in Path("page.html").read_text(encoding="utf-8")


def test_a_second_run_asks_nothing_that_was_answered(run: Run, model: nn.Module) -> None:
    fails = iter([True])

    def script(asked: Asked) -> Said:
        broken = asked.place == 12 and next(fails, False)
        return Said(b"<html>out of order</html>") if broken else V2(model)(asked)

    with serving(script) as server:
        code, _, err = run(server.url + MODEL, "--at-once", "1")
        assert code == 5
        assert "not JSON" in err
        before = len(server.queries())
        code, out, _ = run(server.url + MODEL, "--json")
        assert code == 0
        assert len(server.queries()) == QUERIES + 1
        assert json.loads(out)["queries_spent"] == QUERIES + 1 > before


def test_a_server_that_is_not_there_is_unreachable_and_never_innocent(run: Run) -> None:
    code, out, err = run(f"http://127.0.0.1:1{MODEL}", "--json")
    assert code == 5
    assert json.loads(out)["error"]["kind"] == "SuspectError"
    assert "cannot be reached" in err


@pytest.mark.parametrize("status", [401, 404, 500])
def test_a_server_that_refuses_is_an_error(run: Run, model: nn.Module, status: int) -> None:
    def script(asked: Asked) -> Said:
        return said({"error": "no"}, status) if asked.path.endswith("/infer") else V2(model)(asked)

    with serving(script) as server:
        code, _, err = run(server.url + MODEL)
    assert code == 5
    assert str(status) in err


def test_a_dry_run_asks_nothing_and_tells_the_price(run: Run, model: nn.Module, tmp_path: Path) -> None:
    with serving(V2(model)) as server:
        code, out, _ = run(server.url + MODEL, "--dry-run", "--price", "5", "--json")
        plan = json.loads(out)
        assert code == 0
        assert (plan["queries"], plan["needed"], plan["cost"]) == (QUERIES, QUERIES, pytest.approx(QUERIES * 0.005))
        assert server.asked == []
        assert list(tmp_path.glob("*.ledger")) == []
        run(server.url + MODEL)
        asked = len(server.asked)
        code, out, _ = run(server.url + MODEL, "--dry-run")
        assert "A verdict takes 0 queries" in out
        assert len(server.asked) == asked


def test_a_question_that_no_answer_could_settle_is_told_before_an_address_is_asked(run: Run, claim: Claim) -> None:
    few = Innocents(tuple(number / 100 for number in range(19)), tuple(map(str, range(19))))
    claim.with_nulls(dict.fromkeys(range(len(claim.tests)), few)).save("my.claim")
    for words, told in (((), "name one with --access"), (("--alpha", "0.001"), "at least 1999 innocent models")):
        code, _, err = run("http://127.0.0.1:1" + MODEL, "--dry-run", *words)
        assert code == 0
        assert told in " ".join(err.split())
    assert "no suspect could reach" not in run("http://127.0.0.1:1" + MODEL, "--dry-run", "--access", "probabilities")[2]


def test_where_nothing_was_judged_no_test_is_said_to_have_decided(run: Run, model: nn.Module) -> None:
    claim_on(model, saliency=True).save("my.claim")
    rng = np.random.default_rng(0)
    with serving(V2(model, edit=lambda scores: rng.permuted(scores, axis=1))) as server:
        code, out, err = run(server.url + MODEL)
    assert (code, "INCONCLUSIVE" in out, "got a different answer" in " ".join(out.split())) == (3, True, True)
    assert "black-box test decided" not in err


def test_a_budget_is_kept(run: Run, model: nn.Module) -> None:
    with serving(V2(model)) as server:
        code, _, err = run(server.url + MODEL, "--max-queries", str(QUERIES - 1))
        assert code == 2
        assert f"the limit is {QUERIES - 1}" in err
        assert server.queries() == []
        code, _, _ = run(server.url + MODEL, "--max-queries", str(QUERIES))
        assert code == 0
        assert len(server.queries()) == QUERIES


def test_another_api_is_asked_by_its_preset_or_mapping_and_keys_stay_in_the_environment(
    run: Run, model: nn.Module, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MY_KEY", "open-sesame-42")

    def script(asked: Asked) -> Said:
        if asked.headers.get("x-api-key") != "open-sesame-42":
            return said({"error": "no key"}, 401)
        shape = {"name": "image", "datatype": "FP32", "shape": [1, 3, 16, 16], "data": asked.json["inputs"][0]}
        forward = Asked("POST", f"{MODEL}/infer", {}, json.dumps({"inputs": [shape]}).encode(), 0)
        scores = json.loads(V2(model)(forward).body)["outputs"][0]["data"]
        return said({"predictions": [scores]})

    Path("api.yaml").write_text("preset: mlflow\nurl: URL/score\noutputs: logits\nheaders: {x-api-key: '${MY_KEY}'}\n")
    with serving(script) as server:
        code, _, err = run(f"{server.url}/invocations", "--api", "mlflow")
        assert code == 5
        assert "check the key" in err
        key = ("--header", "X-Api-Key: ${MY_KEY}")
        code, out, _ = run(f"{server.url}/invocations", "--api", "mlflow", *key, "--outputs", "logits", "--report", "page.html")
        assert code == 0, "the answers are logits"
        assert "MATCH (supporting)" in out
        Path("api.yaml").write_text(Path("api.yaml").read_text().replace("URL", server.url))
        assert run("api.yaml")[0] == 0
        assert run(f"{server.url}/elsewhere", "--api", "api.yaml")[0] == 0
        code, _, err = run("api.yaml", "--header", "X-Api-Key: open-sesame-42", "--ledger", "new.ledger")
        assert code == 2
        assert "${NAME}" in err
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"sesame" not in written


def test_what_a_server_does_not_tell_can_be_said(run: Run, model: nn.Module) -> None:
    with serving(V2(model, listed=False)) as server:
        code, _, err = run(server.url + MODEL)
        assert code == 2
        assert "name the input" in err
        assert run(server.url + MODEL, "--tensor", "image:fp32:nchw:")[0] == 0
        assert run(server.url + MODEL, "--tensor", "image:FP32:nchw:scores", "--ledger", "new.ledger")[0] == 0


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "weights": (("--weights", "a.safetensors"), "neither weights nor layers"),
    "a layer": (("--layer", "stages"), "neither weights nor layers"),
    "an unknown api": (("--api", "nonsense"), "torchserve"),
    "a mapping that is not there": (("--api", "none.yaml"), "no mapping none.yaml"),
    "a header without a name": (("--header", "secret"), "NAME: TEXT"),
    "an open secret": (("--header", "Authorization: Bearer abc"), "contains a secret"),
    "a tensor of five parts": (("--tensor", "a:b:c:d:e"), "IN:TYPE:LAYOUT:OUT"),
    "a tensor of text": (("--tensor", "a:BYTES"), "data type"),
    "a layout": (("--tensor", "a:FP32:hwcn"), "nchw"),
    "a tensor for another api": (("--api", "mlflow", "--tensor", "a"), "leave out"),
    "a ledger in no folder": (("--ledger", "no/where.ledger"), "no folder"),
    "a ledger that is none": (("--ledger", "my.claim"), "would be lost; name another file"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_asked(run: Run, model: nn.Module, kind: str) -> None:
    words, message = WRONG[kind]
    claim = Path("my.claim").read_bytes()
    with serving(V2(model)) as server:
        code, _, err = run(server.url + MODEL, *words)
        assert (code, server.asked) == (2, [])
    assert message in " ".join(err.split())
    assert Path("my.claim").read_bytes() == claim


@pytest.mark.parametrize("words", [("--dry-run",), ("--api", "mlflow"), ("--max-queries", "5"), ("--header", "a: b")])
def test_options_for_an_address_are_refused_for_a_file(run: Run, words: tuple[str, ...]) -> None:
    code, _, err = run("suspect.onnx", *words)
    assert code == 2
    assert "no web address" in err


def test_an_address_that_is_no_model_is_refused(run: Run) -> None:
    code, _, err = run("http://127.0.0.1:1/predict")
    assert code == 2
    assert "/v2/models/NAME" in err


def test_the_python_of_the_page_runs(run: Run, model: nn.Module, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("http://127.0.0.1:1/predict")[0] == 2, "the fixture has written the claim"
    page = (Path(__file__).parents[3] / "docs" / "web-suspects.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    with serving(V2(model)) as server:
        mine = code.replace("http://127.0.0.1:8000", server.url).replace('"probabilities"', '"labels"')
        exec(compile(mine, "page", "exec"), {})  # noqa: S102 - the project's own page
    outcome, digest = capsys.readouterr().out.rsplit(maxsplit=1)
    assert (outcome, len(digest)) == ("MATCH (supporting)", 64)
