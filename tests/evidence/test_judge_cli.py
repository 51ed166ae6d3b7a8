"""`ownmark judge` and `ownmark dispute`: from an opened seal and models in files to a signed verdict."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
import torch
from authority import needs_openssl
from courtroom import JUDGE, OTHER, SEEN, WORDS, Memory, furnish
from judging import SHAPE, keyed
from workshop import RUN, ownmark, refused

from ownmark.attacks._common.converting import quiet
from ownmark.claims.claim import Preprocess
from ownmark.cli.hearings import at_layer
from ownmark.suspects.open import Access

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def court(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return furnish(tmp_path_factory.mktemp("court"))


@pytest.fixture(autouse=True)
def _in_court(court: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(court)
    monkeypatch.setenv("OWNMARK_PASSPHRASE", WORDS)


@needs_openssl
def test_a_copy_is_judged_strongly_and_the_verdict_is_computed_anew_without_torch(court: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "b.onnx", "--reference", "same-data=innocent.onnx", "--json")
    assert (ran.code, ran.record["outcome"]) == (0, "MATCH (strong)"), ran.record.get("reason", ran.err)
    assert ran.record["missing_strata"] == ["other-data", "same-task", "same-ancestor"]
    told = {step["name"]: step["told"] for step in ran.record["steps"]}
    assert told["J6 decoys"] == "60 of 60 decoys right"
    assert {"J8 triggers through JPEG(quality=75)", "J8 triggers through BitDepth(bits=5)"} <= told.keys()
    again = ownmark(capsys, "judge", "a.opened", "--offline", "verdict.json", "--json")
    assert {**again.record, "answers": ""} == {**ran.record, "answers": ""}
    assert "0 references were there of the 19" not in ran.record["reason"]
    assert "1 references were there of the 19" in ran.record["reason"]
    assert ran.record["terms"]["alpha of the claimant"] == "0.05"
    code = f"{RUN.removesuffix('sys.exit(main())')}main(); sys.exit(int('torch' in sys.modules))"
    words = [sys.executable, "-c", code, "judge", "a.opened", "--offline", "verdict.json"]
    plain = subprocess.run(words, cwd=court, capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr
    assert plain.stdout.startswith("MATCH (strong)")
    assert "whether the answers in it are true cannot be known" in " ".join(plain.stderr.split())
    refused(capsys, ["judge", "b.opened", "--offline", "verdict.json"], 4, "another opened seal")
    offline = ["judge", "a.opened", "--offline", "verdict.json"]
    assert ownmark(capsys, *offline, "--judge", "JUDGE.pub", "--root", "tsa.pem").code == 0
    refused(capsys, [*offline, "--owner", "JUDGE.pub"], 4, "the claimant's is")
    refused(capsys, [*JUDGE, "--suspect", "b.onnx", "--judge", "JUDGE.pub"], 2, "--judge names")


@needs_openssl
def test_a_judge_who_judges_by_a_smaller_alpha_says_so(capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "b.onnx", "--alpha", "1e-41")
    assert (ran.code, ran.out.splitlines()[0]) == (3, "INCONCLUSIVE")
    said = " ".join(ran.out.split())
    for told in (
        "alpha of the claimant 0.05",
        "alpha of the judge at most 1e-41",
        "judge's key",
        "roots",
        "0 independent models",
    ):
        assert told in said


@needs_openssl
def test_an_innocent_and_a_late_seal_and_another_model_have_their_exit_codes(capsys: Capture) -> None:
    ran = ownmark(capsys, *JUDGE, "--suspect", "innocent.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (1, "NO MATCH")
    early = [word if word != SEEN else "2001-01-01" for word in JUDGE]
    ran = ownmark(capsys, *early, "--suspect", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (4, "INADMISSIBLE")
    other = [word if word != "a.onnx" else "c.onnx" for word in JUDGE]
    ran = ownmark(capsys, *other, "--suspect", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (4, "REJECTED")


@needs_openssl
def test_what_cannot_be_meant_is_refused_before_anybody_is_asked(court: Path, capsys: Capture) -> None:
    refused(capsys, ["judge", "a.opened", "--suspect", "b.onnx"], 2, "--key JUDGE.key")
    unseen = [word for word in JUDGE if word not in {"--seen", SEEN}]
    refused(capsys, [*unseen, "--suspect", "b.onnx"], 2, "say when the suspect was first seen")
    ahead = [word if word != SEEN else "2100-01-01" for word in JUDGE]
    refused(capsys, [*ahead, "--suspect", "b.onnx"], 2, "--seen 2100-01-01 is in the future")
    refused(capsys, [*JUDGE, "--suspect", "b.onnx", "--reference", "nearby=c.onnx"], 2, "STRATUM=FILE")
    refused(capsys, [*JUDGE, "--suspect", "missing.onnx"], 2, "missing.onnx")
    refused(capsys, ["judge", "a.opened", "--offline", "verdict.json", "--suspect", "b.onnx"], 2, "--offline takes")
    refused(capsys, ["judge", "a.opened", "--offline", "nothing.json"], 4, "nothing.json")
    (court / "empty").mkdir()
    words = [word if word != "images" else "empty" for word in JUDGE]
    refused(capsys, [*words, "--suspect", "b.onnx"], 2, "contains no images")


@needs_openssl
def test_two_claimants_are_weighed(capsys: Capture) -> None:
    words = ["dispute", "a.opened", "b.opened", "b.onnx", "--root", "tsa.pem", "--root", "tsa.pem", "--seen", SEEN]
    ran = ownmark(capsys, *words, "--first-model", "a.onnx", "--second-model", "b.onnx", "--json")
    assert ran.code == 0, ran.err
    assert ran.record["table"]["mark of the first in the second's model"].startswith("MATCH")
    assert ran.record["table"]["mark of the second in the first's model"] == "NO MATCH"
    assert (ran.code, ran.record["prevails"]) == (0, "the first claim")
    refused(
        capsys, [*words, "--first-model", "a.onnx", "--second-model", "c.onnx"], 2, "is not the model that its claimant sealed"
    )
    words[3] = "innocent.onnx"
    ran = ownmark(capsys, *words, "--first-model", "a.onnx", "--second-model", "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (3, "UNRESOLVED")


DISPUTE = [
    "dispute",
    "a.opened",
    "b.opened",
    "--first-model",
    "a.onnx",
    "--second-model",
    "b.onnx",
    "--root",
    "tsa.pem",
    "--seen",
    SEEN,
]


@needs_openssl
@pytest.mark.parametrize("words", [[*JUDGE, "--suspect"], DISPUTE], ids=["judge", "dispute"])
def test_weights_beside_a_suspect_are_read_when_that_is_allowed_and_a_layer_means_nothing_for_a_file(
    words: list[str], court: Path, capsys: Capture
) -> None:
    (court / "a.data").unlink(missing_ok=True)
    whole = onnx.load(court / "innocent.onnx")
    onnx.save(whole, court / "apart.onnx", save_as_external_data=True, location="a.data", size_threshold=0)
    refused(capsys, [*words, "apart.onnx"], 2, "keeps weights in other files")
    ran = ownmark(capsys, *words, "apart.onnx", "--allow-external")
    assert (ran.code, ran.out.splitlines()[0]) in {(1, "NO MATCH"), (3, "UNRESOLVED")}
    refused(capsys, [*words, "innocent.onnx", "--layer", "stages"], 2, "shows no maps, so --layer means nothing")
    refused(capsys, ["judge", "a.opened", "--offline", "verdict.json", "--layer", "stages"], 2, "--offline takes")


@needs_openssl
@pytest.mark.parametrize("words", [[*JUDGE, "--suspect"], DISPUTE], ids=["judge", "dispute"])
def test_a_suspect_that_can_run_code_is_heard_only_if_that_is_allowed(words: list[str], court: Path, capsys: Capture) -> None:
    with quiet():
        scripted = torch.jit.trace(Memory(keyed(), keyed(master=OTHER)), torch.rand(2, SHAPE[2], *SHAPE[:2]))  # type: ignore[no-untyped-call]
        scripted.save(court / "b.torchscript")
    refused(capsys, [*words, "b.torchscript"], 2, "--allow-code")
    ran = ownmark(capsys, *words, "b.torchscript", "--allow-code")
    plain = ownmark(capsys, *words, "b.onnx")
    assert (ran.code, ran.out.splitlines()[0]) == (plain.code, plain.out.splitlines()[0]), ran.err
    assert ran.code == 0


def test_a_layer_is_that_of_the_suspect_alone() -> None:
    near = Access(Preprocess(), 3, "usersmodel:build")
    assert (at_layer(near, "stages", "copy.safetensors").layer, near.layer) == ("stages", "")
