"""Bad images, bad places and bad claims: a message that says what to do, the right exit code, and nothing half-written."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from workshop import MODEL, protecting, refused, shop_in

Capture = pytest.CaptureFixture[str]
USAGE, REJECTED = 2, 4
SUSPECT = (MODEL, "--weights", "model.safetensors")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return shop_in(tmp_path / "shop", monkeypatch)


def with_data(place: str) -> list[str]:
    return [place if word == "images" else word for word in protecting("new.claim")]


# images


def test_an_empty_folder_is_no_data(shop: Path, capsys: Capture) -> None:
    (shop / "empty").mkdir()
    refused(capsys, with_data("empty"), USAGE, "no image in empty", "one folder of images per class")


def test_images_whose_labels_lie_in_a_table_of_another_name_are_not_called_missing(shop: Path, capsys: Capture) -> None:
    (shop / "flat").mkdir()
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(shop / "flat" / "0.png")
    refused(capsys, with_data("flat"), USAGE, "flat holds images (1) without labels: expected one folder", "metadata.csv")
    (shop / "flat" / "labels.csv").write_text("image,label\n0.png,a\n", encoding="utf-8")
    refused(capsys, with_data("flat"), USAGE, "without labels beside labels.csv, which is not read", "metadata.csv")


def test_a_folder_that_is_not_there_is_named(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    refused(capsys, with_data("imagse"), USAGE, "no such folder or file: imagse")


@pytest.mark.parametrize("removed", ["folders", "files"])
def test_images_of_one_class_only_make_no_claim_and_cost_no_training(removed: str, shop: Path, capsys: Capture) -> None:
    for name in ("class 1", "class 2"):
        shutil.rmtree(shop / "images" / name)
        if removed == "files":
            (shop / "images" / name).mkdir()
    refused(capsys, protecting("new.claim"), USAGE, "only one class")


def test_a_file_that_is_no_image_is_named(shop: Path, capsys: Capture) -> None:
    (shop / "images" / "class 1" / "notes.txt").write_text("not an image", encoding="utf-8")
    refused(capsys, protecting("new.claim"), USAGE, "notes.txt", "is not a readable image")


def test_images_of_several_sizes_need_a_size(shop: Path, capsys: Capture) -> None:
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(shop / "images" / "class 1" / "small.png")
    refused(capsys, protecting("new.claim"), USAGE, "small.png", "--size")


def test_channels_that_the_model_does_not_take_are_told_before_any_training(shop: Path, capsys: Capture) -> None:
    assert shop.exists()
    refused(capsys, protecting("new.claim", "--channels", "1"), USAGE, "cannot take images", "1 channel")
    refused(capsys, protecting("new.claim", "--channels", "2"), USAGE, "3 for colour or 1 for grey")


# where results go


def spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any work after this is a failure of the test."""

    def must_not(*_: object, **__: object) -> None:
        pytest.fail("work began before it was known that its result can be written")

    for place in ("ownmark.data.images.load", "ownmark.models.network.build", "ownmark.data.images.load"):
        monkeypatch.setattr(place, must_not)


PLACES = ["nowhere/x", "images", "/proc/x"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["protect", "calibrate", "verify", "attack", "report"])
def test_where_nothing_can_be_written_no_work_begins(
    command: str, place: str, shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.exists()
    if place.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no folder that nobody can write to")
    spoilt(monkeypatch)
    words = {
        "protect": protecting(place),
        "calibrate": ["calibrate", "upheld.claim", "innocents/00.safetensors", "--model", MODEL, "--out", place],
        "verify": ["verify", "upheld.claim", *SUSPECT, "--report", place],
        "attack": ["attack", *SUSPECT, "--data", "images", "--attack", "Prune", "--out", place],
        "report": ["report", "upheld.claim", "innocents/00.safetensors", "--model", MODEL, "--out", place],
    }
    refused(capsys, words[command], USAGE, f"cannot write {place}")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_told_before_any_work(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    spoilt(monkeypatch)
    (shop / "locked").mkdir(mode=0o500)
    refused(capsys, protecting("locked/new.claim"), USAGE, "cannot write locked/new.claim")


# claims


@pytest.mark.parametrize("command", ["verify", "calibrate", "report", "inspect"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "absent", "foreign"])
def test_a_claim_that_cannot_be_trusted_is_rejected(command: str, damage: str, shop: Path, capsys: Capture) -> None:
    data = (shop / "upheld.claim").read_bytes()
    middle = len(data) // 2
    changed = {
        "cut": data[:middle],
        "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
        "foreign": b"PK\3\4" + data,
    }
    bad = shop / "bad.claim"
    if damage in changed:
        bad.write_bytes(changed[damage])
    words = {
        "verify": ["verify", "bad.claim", *SUSPECT, "--report", "page.html"],
        "calibrate": ["calibrate", "bad.claim", "innocents/00.safetensors", "--model", MODEL],
        "report": ["report", "bad.claim", "model.safetensors", "--model", MODEL, "--out", "page.html"],
        "inspect": ["inspect", "bad.claim"],
    }
    refused(capsys, words[command], REJECTED, "bad.claim")
    if damage in changed:
        assert bad.read_bytes() == changed[damage]
