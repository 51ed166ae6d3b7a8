"""One data set, one order of classes and the same pixels, however it is kept and whoever reads it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import pictures, small_claim
from PIL import Image
from places import class_folders, picture, with_table, write, zipped

from ownmark.claims.claim import Claim
from ownmark.data.folders import in_order, role
from ownmark.data.images import Split, load
from ownmark.errors import DataError
from ownmark.querying.decoys import decoys_in

WORDS = ("nv", "akiec", "bcc", "mel", "df", "vasc", "bkl")
NUMBERS = tuple(str(number) for number in range(12))


def as_table(folder: Path, to: Path) -> Path:
    """The images of class folders beside a table that names their classes."""
    rows = ["file_name,label"]
    for file in sorted(folder.rglob("*.png")):
        name = f"{file.parent.name}-{file.name}"
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        (to / name).write_bytes(file.read_bytes())
        rows.append(f"{name},{file.parent.name}")
    (to / "metadata.csv").write_text("\n".join(rows), encoding="utf-8")
    return to


def claim_of(names: tuple[str, ...], size: tuple[int, int] = (6, 5), count: int = 40) -> Claim:
    """A claim with room for so many decoys of that size."""
    claim = small_claim(count)
    images = np.zeros((count, 1, *size, 3), dtype=np.uint8)
    test = replace(claim.tests[2], expected=np.zeros(count, dtype=np.int64))
    return replace(claim, images=images, classes=names, originals=None, tests=(test,), maps=None)


@pytest.mark.parametrize("names", [WORDS, NUMBERS, ("Cat", "ant", "10")], ids=["words", "numbers", "mixed"])
def test_folders_and_a_table_of_the_same_images_have_the_same_classes_in_the_same_order(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    folder = class_folders(tmp_path / "folders", names, count=1)
    one, other = load(str(folder)), load(str(as_table(folder, tmp_path / "table")))
    assert one.names == other.names
    by_pixels = {image.tobytes(): label for image, label in zip(one.pixels, one.labels, strict=True)}
    assert [by_pixels[image.tobytes()] for image in other.pixels] == other.labels.tolist()


def test_words_are_in_the_order_of_words_and_numbers_in_that_of_their_values() -> None:
    assert in_order(WORDS) == sorted(WORDS)
    assert in_order(["10", "9", "-1", "2.5", "1e1"]) == ["-1", "2.5", "9", "10", "1e1"]
    assert in_order(["10", "9", "nan"]) == ["10", "9", "nan"], "what is no number makes words of all"
    assert in_order(["1_0", "9"]) == ["1_0", "9"]


SPLITS = [
    ("Training", "Testing"),
    ("Train", "Test"),
    ("training_set", "test_set"),
    ("train", "val"),
    ("TRAIN", "VALIDATION"),
    ("seg_train", "seg_test"),
    ("trainset", "testset"),
    ("train images", "test images"),
]


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
@pytest.mark.parametrize("names", SPLITS, ids="-".join)
def test_splits_are_told_apart_however_they_are_spelled(names: tuple[str, str], tmp_path: Path, *, packed: bool) -> None:
    class_folders(tmp_path / "all" / names[0], ("a", "b"), count=3)
    class_folders(tmp_path / "all" / names[1], ("a", "b"), count=1, start=50)
    place = str(zipped(tmp_path / "all", top="ham/") if packed else tmp_path / "all")
    training, testing = (load(place, train=train) for train in (True, False))
    assert (training.names, testing.names) == (("a", "b"), ("a", "b"))
    assert (len(training), len(testing)) == (6, 2)
    assert np.array_equal(testing.pixels[1], picture(51))
    split = Split.of(place, None, 3)
    assert (len(split.mine), len(split.held_out), split.origin) == (6, 2, "the test split")


def test_a_split_in_a_split_of_the_same_name_is_opened(tmp_path: Path) -> None:
    for outer, count in (("seg_train", 2), ("seg_test", 1)):
        class_folders(tmp_path / outer / outer, ("a", "b"), count=count)
    assert [load(str(tmp_path), train=train).names for train in (True, False)] == [("a", "b")] * 2


def test_a_test_split_comes_before_one_for_validation(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("valid", 1), ("Test", 2)):
        class_folders(tmp_path / name, ("a",), count=count)
    assert [len(load(str(tmp_path), train=train)) for train in (True, False)] == [3, 2]


def test_two_folders_that_may_be_the_same_split_are_refused(tmp_path: Path) -> None:
    for name in ("train", "Training", "test"):
        class_folders(tmp_path / name, ("a",))
    with pytest.raises(DataError, match="two folders that could be the train split, Training and train"):
        load(str(tmp_path))


@pytest.mark.parametrize("names", [*SPLITS, ("train",)], ids="-".join)
def test_splits_without_classes_are_refused_with_that_guess(names: tuple[str, ...], tmp_path: Path) -> None:
    class_folders(tmp_path, names)
    with pytest.raises(DataError, match="look like splits, not classes"):
        load(str(tmp_path))


def test_names_that_are_no_splits_are_classes() -> None:
    assert [role(name) for name in ("bullet train set of toys", "bus", "testis", "trained", "", "set")] == [None] * 6
    assert role("test") == role("Test-Set") == role("testing data") == "test"


@pytest.mark.parametrize("hidden", [".ipynb_checkpoints", ".thumbnails", "__MACOSX", "left arm/.cache"])
def test_hidden_folders_inside_a_class_hold_no_images(hidden: str, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "all", ("a", "b"))
    write(folder / "a" / hidden / "0-checkpoint.png", 99)
    (folder / "b" / hidden).mkdir(parents=True)
    (folder / "b" / hidden / "notes").write_text("no image")
    for place in (folder, zipped(folder)):
        assert load(str(place)).labels.tolist() == [0, 0, 1, 1]
        assert decoys_in(place, claim_of(("a", "b"))).labels.tolist() == [0, 1, 0, 1]


def test_pictures_of_splits_are_not_counted_as_loose_if_a_mac_left_them(tmp_path: Path) -> None:
    class_folders(tmp_path / "all" / "train", ("a", "b"))
    class_folders(tmp_path / "all" / "test", ("a", "b"))
    for place in ("._all.png", "train/._a.png"):
        (tmp_path / "all" / place).write_bytes(b"\0")
    assert load(str(tmp_path / "all"), train=False).names == ("a", "b")


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(picture(1, (5, 6))).save(path, exif=exif)


PICTURES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "turned by the camera": ("a.png", turned),
    "longer than the claim's": ("a.png", lambda path: Image.fromarray(picture(2, (6, 31))).save(path)),
    "larger than the claim's": ("a.jpg", lambda path: Image.fromarray(picture(3, (60, 55))).save(path)),
    "a tiff": ("a.tif", lambda path: Image.fromarray(picture(4)).save(path)),
    "a bitmap of ones and zeros": ("a.pgm", lambda path: Image.fromarray(picture(5)).convert("L").save(path)),
    "of a palette": ("a.png", lambda path: Image.fromarray(picture(6)).convert("P").save(path)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_decoys_have_the_pixels_that_an_owners_images_have(name: str, tmp_path: Path) -> None:
    file, make = PICTURES[name]
    (tmp_path / "nv").mkdir()
    make(tmp_path / "nv" / file)
    (tmp_path / "nv" / f"._{file}").write_bytes(b"\0")
    mine = load(str(tmp_path), size=6)
    found = decoys_in(tmp_path, claim_of(("bcc", "nv"), (6, 6)))
    assert np.array_equal(found.images, mine.pixels)
    assert found.labels.tolist() == [1]


@pytest.mark.parametrize("content", ["deep", "text"])
def test_what_an_owners_images_may_not_be_decoys_may_not_be_either(content: str, tmp_path: Path) -> None:
    (tmp_path / "nv").mkdir()
    if content == "deep":
        Image.fromarray((np.arange(36).reshape(6, 6) * 1000).astype(np.uint16)).save(tmp_path / "nv" / "a.png")
    else:
        (tmp_path / "nv" / "a.txt").write_text("notes")
    told = []
    for read in (lambda: load(str(tmp_path), size=6), lambda: decoys_in(tmp_path, claim_of(("nv",), (6, 6)))):
        with pytest.raises(DataError) as caught:
            read()
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_decoys_come_from_a_table_a_zip_splits_or_a_folder_of_images_alone(tmp_path: Path) -> None:
    claim = claim_of(("bcc", "nv"))
    table = with_table(tmp_path / "table")
    assert decoys_in(table, claim).labels.tolist() == [0, 1]
    assert decoys_in(zipped(table), claim).labels.tolist() == [0, 1]
    class_folders(tmp_path / "splits" / "Training", ("nv", "other"))
    class_folders(tmp_path / "splits" / "Testing", ("nv", "other"))
    assert decoys_in(tmp_path / "splits", claim).labels.tolist() == [1, -1] * 4
    assert decoys_in(class_folders(tmp_path / "all", ("nv",)) / "nv", claim).labels.tolist() == [1, 1]
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(DataError, match="contains no images"):
            decoys_in(place, claim)


def test_the_images_of_a_data_set_are_those_of_its_decoys_for_every_class(tmp_path: Path) -> None:
    images = pictures(12)
    for row, (image, label) in enumerate(zip(images.pixels, images.labels, strict=True)):
        path = tmp_path / str(label) / f"{row:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path)
    mine, found = load(str(tmp_path)), decoys_in(tmp_path, claim_of(("0", "1", "2"), (16, 16)))
    known = {image.tobytes(): label for image, label in zip(mine.pixels, mine.labels, strict=True)}
    assert [known[image.tobytes()] for image in found.images] == found.labels.tolist()
