"""Bad models, suspects, methods and numbers: what is near, what is needed, and the right exit code."""

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from asking import exported
from conftest import tiny
from safetensors.torch import load_file, save_file
from workshop import MODEL, MODULE, RUN, furnished, opened, ownmark, protecting, refused, shop_in

from ownmark.models.weights import save_weights

Capture = pytest.CaptureFixture[str]
USAGE, UNUSABLE = 2, 5


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The furnished folder itself, for what leaves it as it was."""
    return opened(furnished()[1], monkeypatch)


def verifying(*suspect: str) -> list[str]:
    return ["verify", "upheld.claim", *suspect]


ATTACK = ["attack", MODEL, "--weights", "model.safetensors", "--data", "images", "--out", "new.safetensors", "--attack"]
RANDOM = "is randomly initialised: pass the trained weights with --weights"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (verifying("usersmodle:build"), ["no module 'usersmodle'", f"similar: {MODULE}"]),
        (verifying(f"{MODULE}:biuld"), [f"{MODULE} has no 'biuld'", "similar: build"]),
        (verifying("torchvision:resnet81"), ["torchvision has no classifier or detector 'resnet81'", "resnet18"]),
        (verifying("resnet18"), ["module:factory"]),
        (verifying(MODEL), [RANDOM]),
        (verifying("torchvision:resnet18"), [RANDOM]),
        (verifying(MODEL, "--weights", "absent.safetensors"), ["cannot read the weights absent.safetensors"]),
        (verifying("absent.onnx"), ["there is no file absent.onnx"]),
        (verifying(f"{MODULE}.py:build"), [f"named without .py: {MODULE}:build"]),
        (verifying("model.safetensors"), ["holds weights only", "--weights FILE"]),
        (verifying("copy.onnx", "--weights", "model.safetensors"), ["leave --weights out"]),
        (verifying("copy.onnx", "--layer", "stages"), ["--layer means nothing"]),
        (verifying("copy.onnx", "--outputs", "logit"), ["--outputs must be one of logits, probabilities"]),
        (verifying("copy.onnx", "--mean", "0.5"), ["--mean and --std belong together"]),
        (verifying("copy.onnx", "--mean", "a,b,c", "--std", "1"), ["--mean needs 1 number, or 3"]),
        (verifying("copy.onnx", "--mean", "0.1,0.2", "--std", "1"), ["--mean needs 1 number, or 3"]),
        (verifying("copy.onnx", "--mean", "0", "--std", "0"), ["--std must be positive"]),
        (verifying("copy.onnx", "--mean", "nan", "--std", "1"), ["--mean needs 1 number"]),
        (["report", "upheld.claim", "model.safetensors", "--out", "page.html"], ["name their network", "--model"]),
        (["calibrate", "upheld.claim", "innocents/00.safetensors"], ["name their network", "--model"]),
        ([*ATTACK, "Pruen"], ["'Pruen' is not one of: Prune"]),
        ([*ATTACK, "Prune(fration=0.3)"], ["Prune has no parameter 'fration'; it has fraction"]),
        ([*ATTACK, "Prune(fraction=1.5)"], ["a fraction in [0, 1)"]),
        (protecting("new.claim", "--scheme", "Salience"), ["'Salience' is not one of: Saliency"]),
        (protecting("new.claim", "--scheme", "Saliency(sample=3)"), ["it has samples"]),
        (protecting("new.claim", "--scheme", "Partitioned(training=Training())"), ["of which view takes a Training"]),
        (protecting("new.claim", "--training", "Training(epoch=3)"), ["it has epochs"]),
        (protecting("new.claim", "--references", "2"), ["either --references N", "or --reference FILE"]),
        (protecting("new.claim", "--reference", "absent.safetensors"), ["there is no weights file absent.safetensors"]),
        (protecting("new.claim", "--device", "tpu"), ["--device must be one of auto, cpu, cuda"]),
    ],
    ids=lambda value: " ".join(value[-3:]) if isinstance(value, list) and value[0] in {"verify", "attack", "protect"} else None,
)
def test_a_slip_is_told_with_what_would_be_right(words: list[str], told: list[str], here: Path, capsys: Capture) -> None:
    assert here.exists()
    refused(capsys, words, USAGE, *told)


def test_a_reference_that_is_the_model_itself_is_refused(here: Path, capsys: Capture) -> None:
    assert here.exists()
    words = [word.replace("other.", "model.") for word in protecting("new.claim")]
    refused(capsys, words, USAGE, "a reference is the protected model itself")


@pytest.mark.parametrize("alpha", ["0", "1", "-0.1", "nan", "inf", "5"])
@pytest.mark.parametrize("command", ["verify", "report"])
def test_a_rate_of_false_accusations_lies_between_0_and_1(command: str, alpha: str, here: Path, capsys: Capture) -> None:
    assert here.exists()
    words = verifying("copy.onnx") if command == "verify" else ["report", "upheld.claim", "copy.onnx", "--out", "page.html"]
    refused(capsys, [*words, "--alpha", alpha], USAGE, "--alpha must lie between 0 and 1")


@pytest.mark.parametrize(
    "words",
    [["verify"], ["verify", "upheld.claim"], ["nonsense"], ["protect", MODEL, "--out", "new.claim"], ["verify", "--nonsense"]],
)
def test_a_line_that_cannot_be_read_is_wrong_use(words: list[str], here: Path, capsys: Capture) -> None:
    assert here.exists()
    refused(capsys, words, USAGE, "Usage: ownmark")


def test_an_error_is_one_json_object_too(here: Path, capsys: Capture) -> None:
    assert here.exists()
    for words, kind, code in (
        (["inspect", "model.safetensors"], "ClaimError", 4),
        (verifying("absent.onnx"), "UsageError", 2),
        (["verify", "upheld.claim"], "UsageError", 2),
    ):
        ran = ownmark(capsys, *words, "--json")
        assert ran.code == ran.record["exit_code"] == code
        assert ran.record["error"]["kind"] == kind
        assert ran.err


def test_suspects_of_another_number_of_classes_do_another_task(shop: Path, capsys: Capture) -> None:
    save_weights(tiny(5, classes=5), shop / "five.safetensors")
    save_weights(tiny(5, classes=2), shop / "two.safetensors")
    exported(tiny(5, classes=5), shop / "five.onnx")
    refused(capsys, verifying(f"{MODULE}:build(num_classes=5)", "--weights", "five.safetensors"), UNUSABLE, "a different task")
    refused(capsys, verifying(f"{MODULE}:build(num_classes=2)", "--weights", "two.safetensors"), UNUSABLE, "a different task")
    refused(capsys, verifying("five.onnx"), UNUSABLE, "3 classes", "returns 5")
    refused(capsys, verifying(MODEL, "--weights", "five.safetensors"), USAGE, "was built for 3 classes")


def test_suspects_that_take_another_size_or_channels_are_told(shop: Path, capsys: Capture) -> None:
    exported(tiny(5), shop / "large.onnx", size=24)
    refused(capsys, verifying("large.onnx"), UNUSABLE, "(channels, height, width) = (3, 24, 24), the claim has (3, 16, 16)")
    (shop / "grey.py").write_text("from ownmark import ResNet18\n\n\ndef build():\n    return ResNet18(3, width=4, channels=1)\n")
    save_weights(__import__("ownmark").ResNet18(3, width=4, channels=1), shop / "grey.safetensors")
    refused(capsys, verifying("grey:build", "--weights", "grey.safetensors"), UNUSABLE, "the claim's images (3, 16, 16)")


def test_broken_weights_are_no_suspect(shop: Path, capsys: Capture) -> None:
    weights = load_file(shop / "model.safetensors")
    weights["head.weight"][0, 0] = torch.nan
    save_file(weights, shop / "nan.safetensors")
    refused(capsys, verifying(MODEL, "--weights", "nan.safetensors"), USAGE, "NaN", "corrupt")
    (shop / "cut.safetensors").write_bytes((shop / "model.safetensors").read_bytes()[:1000])
    refused(capsys, verifying(MODEL, "--weights", "cut.safetensors"), USAGE, "not a valid safetensors file")
    refused(capsys, verifying(MODEL, "--weights", "copy.onnx"), USAGE, "copy.onnx is refused: it is not a plain state dict")


def test_answers_that_are_not_what_was_said_count_for_nobody(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    refused(capsys, verifying("copy.onnx", "--outputs", "probabilities"), UNUSABLE, "not probabilities")
    refused(capsys, verifying("copy.onnx", "--mean", "0", "--std", "1e-38"), UNUSABLE, "NaN or infinity")


def test_a_network_without_a_map_is_told(shop: Path, capsys: Capture) -> None:
    code = "from torch import nn\n\nmodel = nn.Sequential(nn.Flatten(), nn.Linear(768, 3))\n"
    (shop / "flat.py").write_text(code)
    ran = ownmark(capsys, *verifying("flat:model"))
    assert ran.code in {0, 1, 3}
    assert "its answers decide, since it shows no map: the model has no layer 'stages'" in ran.out
    refused(capsys, verifying("flat:model", "--layer", "0"), USAGE, "a saliency map needs (n, channels, h, w)")
    refused(
        capsys, verifying(MODEL, "--weights", "model.safetensors", "--layer", "stage"), USAGE, "no layer 'stage'; similar: stages"
    )


@pytest.mark.parametrize("name", ["trap.pt", "trap.safetensors", "trap.onnx"])
def test_a_file_that_would_run_code_is_refused_and_runs_nothing(name: str, shop: Path, capsys: Capture) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
            return Path.touch, (Path("sprung"),)  # type: ignore[return-value]

    (shop / name).write_bytes(pickle.dumps(Trap()))
    words = verifying(name) if name.endswith("onnx") else verifying(MODEL, "--weights", name)
    refused(capsys, words, USAGE, name)
    assert not (shop / "sprung").exists()


def test_calibration_takes_no_model_twice_and_none_that_built_the_claim(here: Path, capsys: Capture) -> None:
    before = (here / "raw.claim").read_bytes()
    for names, told in (
        (["innocents/00.safetensors", "innocents/00.safetensors"], "was already counted"),
        (["other.safetensors"], "helped to build this claim"),
        (["model.safetensors"], "the protected model itself"),
    ):
        refused(capsys, ["calibrate", "raw.claim", *names, "--model", MODEL], USAGE, told)
        assert (here / "raw.claim").read_bytes() == before


def test_a_factory_that_always_gives_the_same_weights_trains_no_references(shop: Path, capsys: Capture) -> None:
    more = "\nmodel = build()\n"
    (shop / "same.py").write_text((shop / f"{MODULE}.py").read_text() + more, encoding="utf-8")
    words = ["protect", "same:model", "--data", "images", "--out", "new.claim", "--weights", "model.safetensors"]
    refused(capsys, words, USAGE, "always gives the same weights", "--reference FILE")


def test_too_few_samples_that_hold_are_an_error_and_what_is_finished_is_kept(shop: Path, capsys: Capture) -> None:
    words = protecting("new.claim", "--scheme", "Saliency(samples=4, descent=Descent(bound=0.001, steps=1), map_threshold=1.0)")
    ran = ownmark(capsys, *words)
    assert ran.code == USAGE
    assert "only 0 of" in ran.err
    assert "Stopped. Finished work is kept in new.claim.work" in ran.err
    assert not (shop / "new.claim").exists()


@pytest.mark.parametrize("command", ["demo", "protect", "attack", "verify"])
def test_what_needs_torch_says_how_to_get_it_where_only_the_judges_tools_are(command: str, here: Path) -> None:
    words = {"demo": ["demo"], "protect": protecting("new.claim"), "attack": [*ATTACK, "Prune"]}
    line = words.get(command, verifying(MODEL, "--weights", "model.safetensors"))
    code = f"import sys; sys.modules['torch'] = None; {RUN}"
    ran = subprocess.run([sys.executable, "-c", code, *line], cwd=here, capture_output=True, text=True, check=False)
    assert ran.returncode == USAGE
    assert "this needs torch" in ran.stderr
    assert "pip install 'ownmark[torch]'" in ran.stderr
    assert "Traceback" not in ran.stderr
