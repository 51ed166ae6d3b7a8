"""The command line on a detector, from a folder with COCO's boxes to a page."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import small_claim
from PIL import Image
from spotter import NAMES, SIZE, spotter, squares
from workshop import opened, ownmark, refused

from ownmark.cli.options import near_of
from ownmark.models.weights import save_weights
from ownmark.tasks import Classification, Detection, Task

NETWORK = "spotter:Spotter"
EASY = "Saliency(samples=2, descent=Descent(bound=0.2, steps=2), map_threshold=0.0, objective=Published(), masked=Drop(0.0))"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    images = squares(12)
    told: dict[str, list[object]] = {"images": [], "annotations": [], "categories": []}
    told["categories"] = [{"id": number + 1, "name": name} for number, name in enumerate(NAMES)]
    (tmp_path / "cells" / "images").mkdir(parents=True)
    for number, (pixels, rows) in enumerate(zip(images.pixels, images.labels, strict=True)):
        Image.fromarray(pixels).save(tmp_path / "cells" / "images" / f"{number}.png")
        told["images"].append({"id": number, "file_name": f"{number}.png", "width": SIZE, "height": SIZE})
        for kind, left, top, right, bottom, _ in rows * [1, SIZE, SIZE, SIZE, SIZE, 1]:
            box = [left, top, right - left, bottom - top]
            told["annotations"].append({"image_id": number, "category_id": int(kind) + 1, "bbox": box})
    (tmp_path / "cells" / "annotations.json").write_text(json.dumps(told))
    save_weights(spotter(), tmp_path / "spotter.safetensors")
    return opened(tmp_path, monkeypatch)


def test_a_claim_on_a_detector_is_made_tried_judged_and_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pycocotools", reason="ownmark[detection]")
    data = ["--data", "cells", "--size", str(SIZE), "--task", "detection"]
    model = [NETWORK, "--weights", "spotter.safetensors"]
    made = ownmark(capsys, "protect", *model, *data, "--references", "0", "--scheme", EASY, "--out", "my.claim", "--json")
    assert made.code == 0, made.err
    assert "mean average precision 1 at an overlap of 0.5" in made.err
    assert (made.record["task"], made.record["samples"]) == ("detection", 2)
    stolen = ownmark(capsys, "attack", *model, *data, "--attack", "Prune(0.1)", "--out", "copy.safetensors")
    assert stolen.code == 0, stolen.err
    judged = ownmark(capsys, "verify", "my.claim", NETWORK, "--weights", "copy.safetensors", "--report", "page.html")
    assert judged.code == 3, judged.err
    assert "The box is the object that was asked about." in (place / "page.html").read_text(encoding="utf-8")
    assert ownmark(capsys, "inspect", "my.claim").code == 0


def test_a_scheme_that_knows_no_boxes_says_so_first(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["protect", NETWORK, "--data", str(place / "cells"), "--out", "my.claim", "--task", "detection"]
    refused(capsys, [*words, "--scheme", "Residual"], 2, "Residual supports classification", "detection")


def test_a_classifier_of_images_with_boxes_is_told_what_is_needed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = "ownmark:ResNet18(classes=3, width=4)"
    words = ["protect", network, "--data", str(place / "cells"), "--size", "32", "--out", "my.claim", "--task", "detection"]
    (place / "weights.safetensors").unlink(missing_ok=True)
    from ownmark.models.network import build

    save_weights(build(network), place / "weights.safetensors")
    refused(capsys, [*words, "--weights", "weights.safetensors"], 2, "boxes, labels and scores")


@pytest.mark.parametrize(("task", "wide"), [(Classification(), 3), (Detection(), 4), (Detection(first=0), 3)])
def test_a_suspects_network_is_built_as_wide_as_the_task_wants_it(task: Task, wide: int) -> None:
    words = {"mean": None, "std": None, "outputs": None, "layer": "", "device": "cpu", "output": ""}
    asked: Any = SimpleNamespace(**words, allow_external=False, allow_code=False)
    known = small_claim()
    claim: Any = SimpleNamespace(preprocess=known.preprocess, images=known.images, classes=known.classes, task=task)
    assert near_of(asked, claim).classes == wide, "of a detector the background counts"
