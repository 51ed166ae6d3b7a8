"""The command line on regression and similarity, from a folder of images to a page; and what it says before any work."""

from pathlib import Path

import pytest
import torch
from test_examples import folder
from workshop import opened, ownmark, refused

from ownmark.models.network import build
from ownmark.models.weights import save_weights

NETWORKS = {
    "regression": "ownmark:VGG11(width=2, middle=30.0, spread=20.0)",
    "similarity": "ownmark:MobileFaceNet(width=4, embedding=8, size=32)",
}
EASY = "Saliency(samples=2, descent=Descent(bound=0.1, steps=2), map_threshold=0.0, objective=Published(), masked=Drop(0.0))"
TASKS = pytest.mark.parametrize("task", NETWORKS)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder(tmp_path / "images")
    for number, (task, network) in enumerate(NETWORKS.items()):
        torch.manual_seed(number)
        save_weights(build(network), tmp_path / f"{task}.safetensors")
    return opened(tmp_path, monkeypatch)


def protecting(task: str, *more: str) -> list[str]:
    model = [
        "protect",
        NETWORKS[task],
        "--weights",
        f"{task}.safetensors",
        "--data",
        "images",
        "--size",
        "32",
        "--references",
        "0",
    ]
    return [*model, "--scheme", EASY, "--out", "my.claim", *more]


@TASKS
def test_a_claim_of_each_task_is_made_tried_judged_and_shown(task: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = ownmark(capsys, *protecting(task, "--task", task, "--json"))
    assert made.code == 0, made.err
    assert (made.record["task"], made.record["samples"]) == (task, 2)
    model = [NETWORKS[task], "--weights", f"{task}.safetensors"]
    thief = ["--data", "images", "--size", "32", "--task", task, "--attack", "Prune(0.3)", "--out", "copy.safetensors"]
    stolen = ownmark(capsys, "attack", *model, *thief)
    assert stolen.code == 0, stolen.err
    judged = ownmark(capsys, "verify", "my.claim", NETWORKS[task], "--weights", "copy.safetensors", "--report", "page.html")
    assert judged.code == 3, judged.err
    page = (place / "page.html").read_text(encoding="utf-8")
    assert task in page.lower()
    shown = ownmark(capsys, "inspect", "my.claim")
    assert shown.code == 0
    assert "  classes " not in shown.out, "a number has a name, people have none"
    assert ("  number " in shown.out) == (task == "regression")
    for way in ("", "answers"):
        words = ["verify", "my.claim", "http://127.0.0.1:9/v2/models/suspect", "--access", way]
        refused(capsys, words, 2, "an address is asked for classes or boxes", task, "Client(...)")
    assert not list(place.glob("*.ledger"))


def test_a_scheme_that_does_not_serve_a_task_says_so_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["protect", "nowhere:build", "--data", str(place / "images"), "--out", "my.claim", "--task", "regression"]
    refused(capsys, [*words, "--scheme", "Partitioned"], 2, "Partitioned supports classification", "regression")


@pytest.mark.usefixtures("place")
def test_a_model_of_another_task_is_named_with_what_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, protecting("regression"), 2, "one number per image: a regressor's (--task regression)")
    refused(capsys, protecting("similarity", "--task", "regression"), 2, "one number per image for regression")
