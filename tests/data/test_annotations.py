"""Boxes in COCO's, Pascal VOC's and YOLO's files: the same objects give the same labels, and a broken file is named."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ownmark.data.images import Split, load
from ownmark.errors import DataError
from ownmark.tasks import Detection

WIDE, HIGH = 40, 20
OBJECTS = {"one.png": [("cat", (4, 2, 14, 12)), ("dog", (20, 10, 40, 20))], "two.png": []}  # left, upper, right, lower


def drawn(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(OBJECTS):
        Image.new("RGB", (WIDE, HIGH), (100 * number, 50, 50)).save(folder / name)
    return folder


def coco(folder: Path) -> None:
    drawn(folder / "images")
    images = [{"id": 7 + place, "file_name": name, "width": WIDE, "height": HIGH} for place, name in enumerate(OBJECTS)]
    kinds = {"cat": 3, "dog": 9}
    told = [
        {"image_id": 7 + place, "category_id": kinds[kind], "bbox": [left, top, right - left, bottom - top]}
        for place, things in enumerate(OBJECTS.values())
        for kind, (left, top, right, bottom) in things
    ]
    categories = [{"id": number, "name": name} for name, number in reversed(kinds.items())]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": told, "categories": categories}))


def voc(folder: Path) -> None:
    drawn(folder / "JPEGImages")
    (folder / "Annotations").mkdir()
    for name, things in OBJECTS.items():
        inside = "".join(
            f"<object><name>{kind}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin><xmax>{right}</xmax>"
            f"<ymax>{bottom}</ymax></bndbox></object>"
            for kind, (left, top, right, bottom) in things
        )
        size = f"<size><width>{WIDE}</width><height>{HIGH}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}</filename>{size}{inside}</annotation>"
        (folder / "Annotations" / f"{Path(name).stem}.xml").write_text(text)


def yolo(folder: Path) -> None:
    drawn(folder / "images")
    (folder / "labels").mkdir()
    (folder / "data.yaml").write_text("names: {0: cat, 1: dog}\n")
    lines = [
        f"{('cat', 'dog').index(kind)} {(left + right) / 2 / WIDE} {(top + bottom) / 2 / HIGH} "
        f"{(right - left) / WIDE} {(bottom - top) / HIGH}"
        for kind, (left, top, right, bottom) in OBJECTS["one.png"]
    ]
    (folder / "labels" / "one.txt").write_text("\n".join(lines) + "\n")  # two.png shows nothing, and has no file


@pytest.mark.parametrize("write", [coco, voc, yolo])
def test_the_same_objects_are_the_same_boxes_in_every_format(tmp_path: Path, write: object) -> None:
    write(tmp_path)  # type: ignore[operator]
    found = load(str(tmp_path), size=16, task=Detection())
    assert found.names == ("cat", "dog")
    assert found.pixels.shape == (2, 16, 16, 3)
    expected = [[0, 0.1, 0.1, 0.35, 0.6, 1], [1, 0.5, 0.5, 1.0, 1.0, 1]]
    assert np.allclose(found.labels[0], expected)
    assert not found.labels[1].any()
    assert load(str(tmp_path), task=Detection()).size == (HIGH, WIDE, 3)


def test_splits_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        coco(tmp_path / split)
    told = json.loads((tmp_path / "test" / "annotations.json").read_text())
    told["images"], told["annotations"] = told["images"][:1], told["annotations"][:1]
    (tmp_path / "test" / "annotations.json").write_text(json.dumps(told))
    found = Split.of(str(tmp_path), 16, 3, Detection())
    assert (len(found.mine), len(found.held_out), found.origin) == (2, 1, "the test split")


def test_a_box_is_cut_off_at_the_edge_of_its_image_and_a_crowd_is_no_object(tmp_path: Path) -> None:
    coco(tmp_path)
    told = json.loads((tmp_path / "annotations.json").read_text())
    told["annotations"][0]["bbox"] = [-10, -10, 20, 20]
    told["annotations"][1]["iscrowd"] = 1
    (tmp_path / "annotations.json").write_text(json.dumps(told))
    found = load(str(tmp_path), size=16, task=Detection())
    assert np.allclose(found.labels[0], [[0, 0, 0, 0.25, 0.5, 1]])


BROKEN = {
    "annotations.json": ({"images": [{"id": 1}], "annotations": [], "categories": []}, "annotations.json is not in its format"),
    "labels/one.txt": ("0 0.5 0.5\n", "one.txt: expected a class and four numbers"),
    "labels/one.txt ": ("7 0.5 0.5 0.1 0.1\n", r"one.txt: expected a class in \[0, 2\)"),
    "Annotations/one.xml": ("<annotation>", "one.xml is not in its format"),
    "Annotations/one.xml ": ("<!DOCTYPE a><annotation/>", "one.xml: it declares a document type"),
    "Annotations/one.xml  ": ("<annotation><size/></annotation>", "one.xml: it has no size/width"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(tmp_path: Path, name: str) -> None:
    content, said = BROKEN[name]
    {"a": coco, "l": yolo, "A": voc}[name[0]](tmp_path)
    (tmp_path / name.strip()).write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(DataError, match=said):
        load(str(tmp_path), size=16, task=Detection())


def test_annotations_name_no_file_outside_of_their_folder_and_none_that_is_missing(tmp_path: Path) -> None:
    coco(tmp_path)
    for name, said in (("../one.png", "outside its folder"), ("three.png", "neither in")):
        told = json.loads((tmp_path / "annotations.json").read_text())
        told["images"][0]["file_name"] = name
        (tmp_path / "annotations.json").write_text(json.dumps(told))
        with pytest.raises(DataError, match=said):
            load(str(tmp_path), size=16, task=Detection())


def test_a_folder_without_boxes_says_which_would_be_read(tmp_path: Path) -> None:
    drawn(tmp_path)
    with pytest.raises(DataError, match=r"COCO's JSON.*Pascal VOC.*YOLO"):
        load(str(tmp_path), size=16, task=Detection())
    yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    with pytest.raises(DataError, match="without the names of their classes"):
        load(str(tmp_path), size=16, task=Detection())
