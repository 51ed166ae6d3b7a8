"""The commands do what they promise: claims, verdicts, pages, exit codes, and one JSON object where it is asked for."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from asking import exported
from conftest import same_weights
from workshop import MODEL, MODULE, RUN, Ran, ownmark, protecting, shop_in

from ownmark.claims.claim import Claim
from ownmark.cli.app import COMMANDS
from ownmark.metrics import psnr
from ownmark.models.network import build
from ownmark.models.weights import load_weights, weights_digest
from ownmark.scoring.null_models import Innocents

Capture = pytest.CaptureFixture[str]
HEAVY = ("torch", "torchvision", "sklearn", "scipy", "numpy", "onnxruntime", "PIL", "jinja2", "httpx2")
SUSPECT = (MODEL, "--weights", "model.safetensors")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def innocents() -> list[str]:
    return sorted(map(str, Path("innocents").glob("*.safetensors")))


def words_of(name: str) -> list[str]:
    """A call of each command that succeeds, for the promises that all of them keep."""
    return {
        "calibrate": ["calibrate", "raw.claim", *innocents(), "--model", MODEL, "--out", "known.claim"],
        "verify": ["verify", "upheld.claim", *SUSPECT],
        "attack": ["attack", *SUSPECT, "--data", "images", "--attack", "Prune(0.3)", "--out", "pruned.safetensors"],
        "report": ["report", "upheld.claim", "copy.onnx", "model.safetensors", "--model", MODEL, "--out", "page.html"],
        "inspect": ["inspect", "raw.claim"],
    }[name]


QUICK = ("verify", "attack", "inspect")  # `protect`, `calibrate` and `report`, which take longer, keep them in tests of their own


def read_by_people(ran: Ran) -> bool:
    return ran.code == 0 and bool(ran.out.strip()) and "{" not in ran.out and "Traceback" not in ran.err


@pytest.mark.parametrize("command", COMMANDS, ids=[command.__name__ for command in COMMANDS])
def test_every_help_shows_an_example_of_the_command(command: type, capsys: Capture) -> None:
    name = command.__name__.lower()
    ran = ownmark(capsys, name, "--help")
    assert ran.code == 0
    assert re.search(rf"Example: +ownmark {name}", ran.out)
    assert "--json" in ran.out


def test_without_a_word_the_commands_are_listed(capsys: Capture) -> None:
    ran = ownmark(capsys)
    shown = ran.out + ran.err
    assert [command for command in COMMANDS if command.__name__.lower() not in shown] == []


def test_the_help_comes_at_once_and_loads_nothing_heavy() -> None:
    code = f"import sys; from ownmark.cli import main; main(['-h']); print(*({set(HEAVY)!r} & set(sys.modules)), file=sys.stderr)"
    times = []
    for _ in range(3):
        started = os.times()
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        times.append(os.times().children_user - started.children_user)
        assert ran.stderr == "\n"
    assert min(times) < 2, "0.3 s of computing on an ordinary machine"


@pytest.mark.parametrize("name", QUICK)
def test_json_is_one_object_and_all_that_stands_on_stdout(name: str, shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    ran = ownmark(capsys, *words_of(name), "--json")
    assert ran.code == 0, ran.err
    assert isinstance(ran.record, dict)


@pytest.mark.parametrize("name", QUICK)
def test_without_json_people_read_lines(name: str, shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    ran = ownmark(capsys, *words_of(name))
    assert read_by_people(ran), ran.err


def test_protect_writes_a_claim_that_holds_and_says_what_comes_next(shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *protecting("new.claim"))
    assert read_by_people(ran), ran.err
    claim = Claim.load(shop / "new.claim")
    assert claim.digest in ran.out
    assert "not calibrated" in ran.out
    assert f"ownmark calibrate new.claim INNOCENT.safetensors... --model {MODEL}" in ran.out
    assert claim.model == weights_digest(load_weights(build(MODEL), "model.safetensors"))
    assert weights_digest(load_weights(build(MODEL), "other.safetensors")) in claim.built_with
    assert len(claim.built_with) == 4, "three copies of its own and one reference"
    assert not (shop / "new.claim.work").exists()


def test_protect_reports_what_it_measured_and_progress_stays_off_stdout_even_in_a_terminal(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    ran = ownmark(capsys, *protecting("new.claim"), "--json")
    assert "Making the fingerprint" in ran.err
    record = ran.record
    claim = Claim.load(shop / "new.claim")
    assert claim.originals is not None
    assert record["psnr_db"] == psnr(claim.originals, claim.images[:, 0])
    assert record["samples"] == 4
    assert record["accuracy"] == 1
    assert record["digest"] == claim.digest
    assert record["seconds"] > 0
    assert [test["reading"] for test in record["tests"]] == ["saliency", "probability"]


def test_the_same_seed_gives_the_same_file_and_another_seed_another(shop: Path, capsys: Capture) -> None:
    """The shop's own claim was made by the same words, of seed 0."""
    for name, seed in (("again.claim", 0), ("another.claim", 1)):
        assert ownmark(capsys, *protecting(name, "--seed", str(seed))).code == 0
    first, again, another = ((shop / f"{name}.claim").read_bytes() for name in ("raw", "again", "another"))
    assert first == again
    assert first != another


def test_protect_trains_as_many_references_as_it_is_told_to(shop: Path, capsys: Capture) -> None:
    words = [word for word in protecting("trained.claim") if word not in {"--reference", "other.safetensors"}]
    ran = ownmark(capsys, *words, "--references", "2", "--training", "Training(epochs=1, batch=16)")
    assert ran.code == 0, ran.err
    assert "reference 1 of 2:" in ran.err
    built_with = Claim.load(shop / "trained.claim").built_with
    assert len(set(built_with)) == 5


def test_the_normalisation_of_the_owners_model_is_part_of_the_claim(shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *protecting("norm.claim", "--mean", "0.1,0,0", "--std", "0.9"))
    assert ran.code == 0, ran.err
    preprocess = Claim.load(shop / "norm.claim").preprocess
    assert (preprocess.mean, preprocess.std) == ((0.1, 0.0, 0.0), (0.9, 0.9, 0.9))


def test_calibrate_writes_the_claim_back_and_says_how_small_p_can_get(shop: Path, capsys: Capture) -> None:
    (shop / "back.claim").write_bytes((shop / "raw.claim").read_bytes())
    ran = ownmark(capsys, "calibrate", "back.claim", *innocents(), "--model", MODEL)
    assert read_by_people(ran), ran.err
    assert "19 innocent models: p cannot fall below 1/20 = 0.05" in ran.out
    for test in Claim.load(shop / "back.claim").tests:
        assert isinstance(test.null, Innocents)
        assert len(test.null.scores) == 19


def test_calibrate_leaves_the_old_claim_alone_if_told_where_to_write(shop: Path, capsys: Capture) -> None:
    before = (shop / "raw.claim").read_bytes()
    ran = ownmark(capsys, *words_of("calibrate"), "--json")
    assert ran.code == 0, ran.err
    assert ran.record["innocents"] == 19
    assert (shop / "raw.claim").read_bytes() == before
    assert Claim.load(shop / "known.claim").calibrated


def test_calibrate_says_what_stays_uncalibrated_and_that_the_models_are_too_few(shop: Path, capsys: Capture) -> None:
    exported(build(MODEL), shop / "stranger.onnx")
    ran = ownmark(capsys, "calibrate", "upheld.claim", "stranger.onnx", "--out", "few.claim")
    assert ran.code == 0, ran.err
    assert "replace the earlier ones" in ran.err
    assert "The white-box test is still judged by the earlier innocents" in ran.err
    assert "needs at least 19" in ran.err


@pytest.mark.parametrize(
    ("claim", "code", "outcome"),
    [("upheld.claim", 0, "MATCH (supporting)"), ("refuted.claim", 1, "NO MATCH"), ("raw.claim", 3, "INCONCLUSIVE")],
)
def test_the_exit_code_is_the_verdict(claim: str, code: int, outcome: str, shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, "verify", claim, *SUSPECT)
    assert ran.code == code
    assert ran.out.startswith(f"{outcome}: model.safetensors\n")
    record = ownmark(capsys, "verify", claim, *SUSPECT, "--json").record
    assert record["outcome"] == outcome
    assert record["exit_code"] == code
    assert record["suspect_digest"] == Claim.load(shop / claim).model


def test_no_line_ever_says_that_a_model_was_stolen(shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    ran = ownmark(capsys, "verify", "upheld.claim", *SUSPECT)
    assert "stolen" not in (ran.out + ran.err).lower()


def test_verify_writes_a_page_and_names_it(shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, "verify", "upheld.claim", *SUSPECT, "--report", "one.html")
    assert ran.code == 0, ran.err
    assert str((shop / "one.html").resolve()) in ran.out
    assert "does not show what it looks at" not in ran.out + ran.err
    assert "model.safetensors" in (shop / "one.html").read_text(encoding="utf-8")


def test_an_onnx_suspect_is_asked_without_torch_and_only_what_it_reveals(shop: Path) -> None:
    code = f"{RUN.replace('sys.exit(main())', 'code = main()')}; assert 'torch' not in sys.modules; sys.exit(code)"
    for words in (["verify", "upheld.claim", "copy.onnx"], ["calibrate", "raw.claim", "copy.onnx", "--out", "c.claim"]):
        ran = subprocess.run([sys.executable, "-c", code, *words], cwd=shop, capture_output=True, text=True, check=False)
        assert "AssertionError" not in ran.stderr
        assert ran.returncode in {0, 1, 3}, ran.stderr
    asked = subprocess.run(
        [sys.executable, "-c", code, "verify", "upheld.claim", "copy.onnx"], cwd=shop, capture_output=True, text=True, check=False
    )
    assert "white-box" not in asked.stdout
    assert "does not show what it looks at" in asked.stderr


def test_the_same_weights_give_the_same_probabilities_as_onnx(shop: Path, capsys: Capture) -> None:  # noqa: ARG001
    near = ownmark(capsys, "verify", "raw.claim", *SUSPECT, "--json").record
    far = ownmark(capsys, "verify", "raw.claim", "copy.onnx", "--json").record
    assert far["deciding"] == near["others"][0]


def test_attack_writes_the_copy_that_the_attack_makes(shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, *words_of("attack"), "--json")
    assert ran.record["attack"] == "Prune(fraction=0.3, epochs=0, rate=0.01, flips=True)"
    copy = load_weights(build(MODEL), shop / "pruned.safetensors")
    assert weights_digest(copy) == ran.record["digest"]
    assert not same_weights(copy, load_weights(build(MODEL), shop / "model.safetensors"))
    zeros = [float((weight == 0).float().mean()) for name, weight in copy.state_dict().items() if name.endswith("conv1.weight")]
    assert np.mean(zeros) == pytest.approx(0.3, abs=0.02)


def test_attack_measures_on_images_that_the_thief_has_not_seen(
    shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    from ownmark.attacks.prune import Prune

    apply = Prune.apply

    def spying(self: Prune, stolen: torch.nn.Module, thief: object, *others: object) -> torch.nn.Module:
        seen.append(len(thief))  # type: ignore[arg-type]
        return apply(self, stolen, thief, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(Prune, "apply", spying)
    record = ownmark(capsys, *words_of("attack"), "--json").record
    assert seen == [48 - record["held_out_images"]]
    assert record["accuracy_before"] == 1
    assert shop.exists()


def test_report_judges_several_suspects_on_one_page(shop: Path, capsys: Capture) -> None:
    assert len(ownmark(capsys, *words_of("report"), "--json").record["verdicts"]) == 2
    ran = ownmark(capsys, *words_of("report"))
    assert read_by_people(ran), ran.err
    page = (shop / "page.html").read_text(encoding="utf-8")
    assert "copy.onnx" in page
    assert "model.safetensors" in page
    assert ran.out.rstrip().endswith(str((shop / "page.html").resolve()))


def test_report_says_why_a_verdict_decides_nothing(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    ran = ownmark(capsys, "report", "raw.claim", "copy.onnx", "--out", "plain.html")
    assert "INCONCLUSIVE" in ran.out
    assert "no score could reach p <= 0.05" in " ".join(ran.out.split())


def test_an_option_that_is_missing_is_named_in_json_too(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    for words, told in ((["report", "upheld.claim", "copy.onnx"], "'--out'"), (["verify", "upheld.claim"], "'SUSPECT'")):
        ran = ownmark(capsys, *words, "--json")
        assert (ran.code, told in ran.record["error"]["message"]) == (2, True)


def test_inspect_shows_what_the_claim_says_of_itself(shop: Path, capsys: Capture) -> None:
    claim = Claim.load(shop / "upheld.claim")
    ran = ownmark(capsys, "inspect", "upheld.claim")
    for told in (claim.digest, claim.model, claim.scheme, "19 innocent models at most 50", "4 samples of 2 views, 16x16"):
        assert told in ran.out
    record = ownmark(capsys, "inspect", "upheld.claim", "--json").record
    assert record["digest"] == claim.digest
    assert record["tests"][0]["smallest_p"] == 0.05
    assert record["tests"][0]["layer"] == claim.tests[0].layer


def test_a_module_that_brings_its_weights_needs_no_file(shop: Path, capsys: Capture) -> None:
    more = "\nmodel = build()\nmodel.load_state_dict(__import__('safetensors.torch').torch.load_file('model.safetensors'))\n"
    (shop / "ready.py").write_text((shop / f"{MODULE}.py").read_text() + more, encoding="utf-8")
    ran = ownmark(capsys, "verify", "upheld.claim", "ready:model", "--json")
    assert ran.code == 0, ran.err
    assert ran.record["suspect"] == "ready:model"


def test_the_version_can_be_asked_for(capsys: Capture) -> None:
    ran = ownmark(capsys, "--version")
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", ran.out)


def test_a_terminal_that_knows_ascii_only_gets_no_traceback(shop: Path) -> None:
    call = [sys.executable, "-c", RUN, "verify", "upheld.claim", "copy.onnx"]
    ran = subprocess.run(call, cwd=shop, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert ran.returncode in {0, 1, 3}, ran.stderr
    assert b"Traceback" not in ran.stderr
    assert b"100 %" in ran.stdout
