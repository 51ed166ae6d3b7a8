"""Files as they come, on the command line: what is read is said, and one bad suspect does not end a report."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
import torch
from conftest import tiny
from safetensors.torch import load_file, save_file
from workshop import MODEL, MODULE, furnished, opened, ownmark, shop_in

Capture = pytest.CaptureFixture[str]
USAGE, UNUSABLE = 2, 5


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The furnished folder itself, for what leaves it as it was."""
    return opened(furnished()[1], monkeypatch)


def test_a_checkpoint_is_judged_as_its_weights_and_it_is_said_where_they_were(shop: Path, capsys: Capture) -> None:
    weights = {f"module.{name}": tensor for name, tensor in load_file(shop / "model.safetensors").items()}
    torch.save({"state_dict": weights, "epoch": 7}, shop / "model_best.pth.tar")
    shutil.copy(shop / "model.safetensors", shop / "model.weights")
    plain = ownmark(capsys, "verify", "upheld.claim", MODEL, "--weights", "model.safetensors", "--json")
    found = ownmark(capsys, "verify", "upheld.claim", MODEL, "--weights", "model_best.pth.tar", "--json")
    assert found.code == plain.code == 0
    assert found.record["suspect_digest"] == plain.record["suspect_digest"]
    assert "model_best.pth.tar: used the weights under 'state_dict'." in found.err
    assert "model_best.pth.tar: removed the prefix 'module.' from all names." in found.err
    words = ["report", "upheld.claim", "model.weights", "model_best.pth.tar", "--model", MODEL, "--out", "page.html", "--json"]
    assert [one["suspect_digest"] for one in ownmark(capsys, *words).record["verdicts"]] == [plain.record["suspect_digest"]] * 2


@pytest.mark.parametrize("more", [[], ["--model", MODEL]], ids=["without a network", "with one"])
@pytest.mark.parametrize("name", ["scripted.pt", "scripted.ts", "exported.pt2", "empty.pt", "empty.safetensors"])
def test_what_holds_no_weights_is_named_as_what_it_is(name: str, more: list[str], shop: Path, capsys: Capture) -> None:
    with pytest.warns() if name.startswith("scripted") else pytest.MonkeyPatch.context():
        if name.startswith("scripted"):
            torch.jit.trace(tiny(), torch.rand(1, 3, 16, 16)).save(str(shop / name))  # type: ignore[no-untyped-call]
    if name.startswith("exported"):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3))
        torch.export.save(torch.export.export(network, (torch.rand(1, 3, 2, 2),)), str(shop / name))
    if name.startswith("empty"):
        (shop / name).touch()
    told = {
        "scripted": "a TorchScript archive",
        "exported": "a torch.export archive",
        "empty": "empty. Copy or download it again",
    }
    ran = ownmark(capsys, "calibrate", "upheld.claim", name, *more)
    assert ran.code == USAGE
    assert f"{name} is {told[name.split('.', maxsplit=1)[0]]}" in ran.err


def test_weights_beside_an_onnx_file_are_read_with_allow_external_only(shop: Path, capsys: Capture) -> None:
    onnx.save(onnx.load(shop / "copy.onnx"), shop / "apart.onnx", save_as_external_data=True, location="a.data", size_threshold=0)
    plain = ownmark(capsys, "verify", "upheld.claim", "copy.onnx", "--json")
    ran = ownmark(capsys, "verify", "upheld.claim", "apart.onnx")
    assert ran.code == USAGE
    assert "external_data=False" in ran.err
    assert "onnx.save(onnx.load('apart.onnx'), 'apart-whole.onnx')" in ran.err
    allowed = ownmark(capsys, "verify", "upheld.claim", "apart.onnx", "--allow-external", "--json")
    assert (allowed.code, allowed.record["deciding"]) == (plain.code, plain.record["deciding"])
    words = ["report", "upheld.claim", "apart.onnx", "--allow-external", "--out", "page.html"]
    assert ownmark(capsys, *words).code == 0
    assert ownmark(capsys, "calibrate", "upheld.claim", "apart.onnx", "--allow-external", "--out", "new.claim").code == 0
    for more, cause in (([], "keeps weights in other files"), (["--allow-external"], "the claim needs one of: saliency")):
        words = ["scan", "upheld.claim", "apart.onnx", *more, "--last", "--keep", f"{len(more)}.scan", "--json"]
        assert cause in ownmark(capsys, *words).record["rows"][0]["error"]


def bad_suspects(shop: Path) -> list[str]:
    (shop / "empty.pt").touch()
    (shop / "garbage.onnx").write_bytes(b"garbage" * 99)
    save_file({"stem": torch.ones(3)}, shop / "unfit.safetensors")
    (shop / "raises.py").write_text("from torch import nn\n\ndef build(num_classes):\n    raise KeyError('no weights')\n")
    return ["empty.pt", "garbage.onnx", "unfit.safetensors", "raises:build", "absent.onnx"]


def test_bad_suspects_are_listed_with_their_cause_and_the_others_are_judged(shop: Path, capsys: Capture) -> None:
    bad = bad_suspects(shop)
    words = [
        "report",
        "upheld.claim",
        *bad[:3],
        "copy.onnx",
        *bad[3:],
        "model.safetensors",
        "--model",
        MODEL,
        "--out",
        "page.html",
    ]
    ran = ownmark(capsys, *words)
    assert ran.code == UNUSABLE
    assert [name in ran.out for name in ("copy.onnx", "model.safetensors", *bad)] == [True] * 2 + [False] * len(bad)
    page = (shop / "page.html").read_text(encoding="utf-8")
    told = (
        "is empty. Copy or download it again",
        "garbage.onnx",
        "does not fit the model",
        "KeyError",
        "there is no file absent.onnx",
    )
    for name, cause in zip(bad, told, strict=True):
        line = next(line for line in ran.err.splitlines() if line.startswith(f"{name} could not be judged: "))
        assert cause in line
        assert f"<li><code>{name}</code>:" in page
    record = ownmark(capsys, *words, "--json").record
    assert list(record["unasked"]) == [bad[-1], *bad[:-1]]
    assert (len(record["verdicts"]), record["exit_code"], record["page"]) == (2, UNUSABLE, "page.html")


def test_a_report_on_bad_suspects_alone_has_no_page(shop: Path, capsys: Capture) -> None:
    ran = ownmark(capsys, "report", "upheld.claim", *bad_suspects(shop)[1:3], "--model", MODEL, "--out", "page.html", "--json")
    assert ran.code == UNUSABLE
    assert (ran.record["page"], ran.record["verdicts"], len(ran.record["unasked"])) == (None, [], 2)
    assert not (shop / "page.html").exists()


WRAPPED = f"""
from torch import nn

from {MODULE} import build as inner


class Wrapper(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = inner(classes)

    def forward(self, images):
        return self.backbone(images)


def build(num_classes):
    return Wrapper(num_classes)
"""


def test_a_copy_in_a_wrapper_is_judged_by_its_map_and_the_verdict_says_where(shop: Path, capsys: Capture) -> None:
    (shop / "wrapping.py").write_text(WRAPPED, encoding="utf-8")
    inner = load_file(shop / "model.safetensors")
    save_file({f"backbone.{name}": tensor for name, tensor in inner.items()}, shop / "wrapped.safetensors")
    plain = ownmark(capsys, "verify", "upheld.claim", MODEL, "--weights", "model.safetensors", "--json").record
    found = ownmark(capsys, "verify", "upheld.claim", "wrapping:build", "--weights", "wrapped.safetensors", "--json").record
    assert found["deciding"] == plain["deciding"]
    assert (
        found["reason"]
        == f"{plain['reason']}; its map was taken at 'backbone.stages', whose name has the same ending as the claim's 'stages'"
    )


@pytest.mark.parametrize("command", ["verify", "calibrate", "report", "scan"])
def test_every_command_that_asks_takes_a_layer(command: str, shop: Path, capsys: Capture) -> None:
    suspect = ["model.safetensors", "--model", MODEL]
    words = {
        "verify": ["upheld.claim", MODEL, "--weights", "model.safetensors"],
        "calibrate": ["upheld.claim", *map(str, sorted(shop.glob("innocents/*"))), "--model", MODEL, "--out", "new.claim"],
        "report": ["upheld.claim", *suspect, "--out", "page.html"],
        "scan": ["upheld.claim", *suspect, "--last"],
    }[command]
    known = ownmark(capsys, command, *words, "--layer", "stages.2", "--json")
    assert known.code in {0, 1, 3}
    if command in {"verify", "report"}:
        verdict = known.record if command == "verify" else known.record["verdicts"][0]
        assert "its map was taken at 'stages.2', as the judge requested" in verdict["reason"]
    for file in shop.glob("*.scan"):
        file.unlink()
    ran = ownmark(capsys, command, *words, "--layer", "stagse", "--json")
    assert ran.code == (USAGE if command in {"verify", "calibrate"} else UNUSABLE)
    assert "no layer 'stagse'; similar: stages" in json.dumps(ran.record)


@pytest.mark.parametrize("command", ["verify", "calibrate", "report", "scan"])
def test_a_layer_means_nothing_where_nobody_shows_one(command: str, here: Path, capsys: Capture) -> None:
    assert here.exists()
    more = ["--out", "page.html"] if command == "report" else []
    ran = ownmark(capsys, command, "upheld.claim", "copy.onnx", *more, "--layer", "stages")
    assert ran.code == USAGE
    assert "--layer means nothing" in ran.err
