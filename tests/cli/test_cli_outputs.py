"""What a suspect's answers mean, on the command line: found out, told, inconclusive where nothing is sure, or said."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from workshop import MODEL, ownmark, protecting, refused, shop_in

Capture = pytest.CaptureFixture[str]
INCONCLUSIVE, USAGE, UNUSABLE = 3, 2, 5
WRAPPED = """
import torch
from torch import nn

from usersmodel import build


class Wrapped(nn.Module):
    def __init__(self, kind, classes=3):
        super().__init__()
        self.inner, self.kind = build(classes), kind

    def forward(self, images):
        scores = self.inner(images)
        answers = {
            "softmax": lambda: scores.softmax(1),
            "named": lambda: {"loss": scores.sum(), "logits": scores, "features": scores * 2},
            "two": lambda: {"right": scores, "wrong": -scores},
        }
        return answers[self.kind]()

    def load_state_dict(self, weights, **options):
        return self.inner.load_state_dict(weights, **options)

    def state_dict(self, *options, **more):
        return self.inner.state_dict(*options, **more)


def softmax():
    return Wrapped("softmax")


def named():
    return Wrapped("named")


def two():
    return Wrapped("two")
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = shop_in(tmp_path / "shop", monkeypatch)
    (folder / "wrapped.py").write_text(WRAPPED)
    return folder


def ended(shop: Path, ending: str) -> str:
    """The copy with something behind its scores, and their opposite as a second answer where it is "two"."""
    whole = onnx.load(shop / "copy.onnx")
    graph, shape = whole.graph, ("n", 3)
    old = graph.output[0].name
    nodes = {
        "two": [helper.make_node("Identity", [old], ["right"]), helper.make_node("Neg", [old], ["wrong"])],
        "sigmoid": [helper.make_node("Sigmoid", [old], ["right"])],
        "softmax": [helper.make_node("Softmax", [old], ["right"], axis=1)],
    }[ending]
    graph.node.extend(nodes)
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, shape) for node in nodes)
    (shop / f"{ending}.onnx").write_bytes(whole.SerializeToString())
    return f"{ending}.onnx"


def test_a_file_that_ends_in_a_softmax_is_judged_without_a_word(shop: Path, capsys: Capture) -> None:
    wanted = ownmark(capsys, "verify", "upheld.claim", "copy.onnx", "--json")
    found = ownmark(capsys, "verify", "upheld.claim", ended(shop, "softmax"), "--json")
    assert found.code == wanted.code
    assert found.record["deciding"] == wanted.record["deciding"]
    refused(capsys, ["verify", "upheld.claim", "softmax.onnx", "--outputs", "logits"], UNUSABLE, "pass outputs=probabilities")


def test_a_file_that_ends_in_sigmoids_is_inconclusive_everywhere_until_it_is_said(shop: Path, capsys: Capture) -> None:
    file = ended(shop, "sigmoid")
    ran = ownmark(capsys, "verify", "upheld.claim", file)
    assert ran.code == INCONCLUSIVE
    assert "outputs=sigmoids" in ran.out.replace("\n", " ")
    assert "--outputs" in ran.out
    whole, plain = ([file, "--outputs", "sigmoids"], ["copy.onnx"])
    told = [ownmark(capsys, "verify", "upheld.claim", *words, "--json").record["deciding"]["score"] for words in (whole, plain)]
    assert told[0] == told[1]
    page = ownmark(capsys, "report", "upheld.claim", file, "copy.onnx", "--out", "page.html", "--json")
    assert page.code == UNUSABLE
    assert page.record["verdicts"][0]["outcome"] == "INCONCLUSIVE"
    assert "outputs=sigmoids" in page.record["unasked"][file]
    only = ownmark(capsys, "report", "upheld.claim", file, "--out", "none.html")
    assert only.code == UNUSABLE
    assert not Path("none.html").exists()
    refused(capsys, ["calibrate", "raw.claim", file], UNUSABLE, "--outputs")


def test_a_module_with_named_outputs_is_read_and_told(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    words = ["verify", "upheld.claim", "wrapped:named", "--weights", "model.safetensors", "--layer", "inner.stages"]
    told = "used the output 'logits' of loss, logits, features"
    assert told in ownmark(capsys, *words, "--json").record["notes"]
    ran = ownmark(capsys, *words, "--report", "page.html")
    assert ran.code == 0
    assert told in " ".join(ran.out.split())
    assert "used the output &#39;logits&#39; of loss, logits, features" in Path("page.html").read_text()


def test_a_module_or_file_with_two_outputs_is_an_error_until_one_is_named(shop: Path, capsys: Capture) -> None:
    weights = ["wrapped:two", "--weights", "model.safetensors", "--layer", "inner.stages"]
    for suspect in (weights, [ended(shop, "two")]):
        told = "has several outputs that fit, right, wrong: choose one with --output NAME"
        refused(capsys, ["verify", "upheld.claim", *suspect], USAGE, told)
        assert ownmark(capsys, "verify", "upheld.claim", *suspect, "--output", "right").code in {0, INCONCLUSIVE}
        refused(capsys, ["verify", "upheld.claim", *suspect, "--output", "other"], USAGE, "no output 'other'", "right, wrong")
    refused(capsys, ["calibrate", "raw.claim", "two.onnx"], USAGE, "--output NAME")
    assert ownmark(capsys, "calibrate", "raw.claim", "two.onnx", "--output", "right", "--out", "new.claim").code == 0
    lost = ownmark(capsys, "report", "upheld.claim", "two.onnx", "--out", "two.html")
    assert (lost.code, Path("two.html").exists()) == (UNUSABLE, False)
    assert "--output NAME" in lost.err
    assert ownmark(capsys, "report", "upheld.claim", "two.onnx", "--output", "right", "--out", "two.html").code == 0


BY = ("--access", "probabilities")  # the one way that these files can be asked by


def test_a_scan_reads_the_output_that_is_named_and_leaves_open_what_nobody_can_tell(shop: Path, capsys: Capture) -> None:
    innocents = sorted(map(str, Path("innocents").glob("*.safetensors")))
    assert ownmark(capsys, "calibrate", "raw.claim", *innocents, "--model", MODEL, "--out", "full.claim").code == 0
    two = ended(shop, "two")
    lacking = ownmark(capsys, "scan", "full.claim", two, "--last", *BY, "--keep", "one.scan")
    assert lacking.code == UNUSABLE
    assert "--output NAME" in lacking.err.replace("\n", " ")
    named = ownmark(capsys, "scan", "full.claim", two, "--output", "right", "--last", *BY, "--keep", "two.scan", "--json")
    whole = ownmark(capsys, "scan", "full.claim", "copy.onnx", "--last", *BY, "--keep", "three.scan", "--json")
    assert named.record["rows"][0]["alone"]["p"] == whole.record["rows"][0]["alone"]["p"]
    open_ = ownmark(capsys, "scan", "full.claim", ended(shop, "sigmoid"), "--last", *BY, "--keep", "four.scan")
    assert open_.code == INCONCLUSIVE
    assert "sigmoid.onnx could not be judged: the scores lie between 0 and 1" in " ".join(open_.err.split())


def test_an_address_has_its_output_named_too(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    address = "http://127.0.0.1:9/v2/models/a"
    words = ["verify", "upheld.claim", address, "--dry-run", "--output", "scores"]
    assert ownmark(capsys, *words).code == 0
    refused(capsys, [*words, "--tensor", ":::other"], USAGE, "name one output")
    refused(capsys, [*words, "--api", "mlflow"], USAGE, "--output names a tensor")


def test_a_claim_is_made_on_the_output_that_is_named_and_never_behind_a_softmax(shop: Path, capsys: Capture) -> None:
    assert shop.exists()

    def words(model: str, *more: str) -> list[str]:
        return [model if word == MODEL else word for word in protecting("wrapped.claim", *more)]

    ran = ownmark(capsys, *words("wrapped:named"))
    assert ran.code == 0, ran.err
    assert "used the output 'logits' of loss, logits, features" in " ".join(ran.err.split())
    Path("wrapped.claim").unlink()
    refused(capsys, words("wrapped:two"), USAGE, "several outputs that fit", "--output NAME")
    assert ownmark(capsys, *words("wrapped:two", "--output", "right")).code == 0
    Path("wrapped.claim").unlink()
    refused(capsys, words("wrapped:softmax"), USAGE, "let it end before its softmax")
    attack = ["attack", "wrapped:two", "--weights", "model.safetensors", "--data", "images", "--attack", "Prune(0.2)"]
    refused(capsys, [*attack, "--out", "pruned.safetensors"], USAGE, "--output NAME")
    assert ownmark(capsys, *attack, "--output", "right", "--out", "pruned.safetensors").code == 0
