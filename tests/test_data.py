"""Images from every place that a user has them, and a clear error with the name of what is at fault for all else."""

import hashlib
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from conftest import pictures, seed
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits
from torchvision import datasets

from ownmark import data
from ownmark.data import Images, digits, load, shares, to_pixels, to_unit
from ownmark.errors import DataError

NAMES = ("Melanozytärer Nävus", "bcc", "皮膚線維腫 (benign)")
Pixels = npt.NDArray[np.uint8]


def picture(number: int, size: tuple[int, int] = (6, 5)) -> Pixels:
    return np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)


def write(path: Path, number: int = 0, size: tuple[int, int] = (6, 5)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number, size)).save(path)
    return path


def class_folders(root: Path, names: tuple[str, ...] = NAMES, count: int = 2, start: int = 0) -> Path:
    for label, name in enumerate(names):
        for place in range(count):
            write(root / name / f"{place}.png", start + label * count + place)
    return root


def with_table(root: Path, rows: str = "file_name,label\nb.png,nv\na.png,bcc\n") -> Path:
    write(root / "a.png", 1)
    write(root / "b.png", 2)
    (root / "metadata.csv").write_text(rows, encoding="utf-8")
    return root


def zipped(folder: Path, name: str = "all.zip", top: str = "") -> Path:
    path = folder.parent / name
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, f"{top}{file.relative_to(folder)}")
    return path


def test_class_folders_give_a_class_each_in_the_order_of_their_names(tmp_path: Path) -> None:
    images = load(str(class_folders(tmp_path / "Bilder für später")))
    assert images.names == tuple(sorted(NAMES))
    assert images.labels.tolist() == [0, 0, 1, 1, 2, 2]
    wanted = [picture(NAMES.index(name) * 2 + place) for name in sorted(NAMES) for place in range(2)]
    assert np.array_equal(images.pixels, np.stack(wanted))
    assert images.size == (6, 5, 3)


def test_hidden_files_and_what_a_mac_leaves_behind_are_no_images_and_no_classes(tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "all")
    for name in (".DS_Store", "bcc/.DS_Store", "bcc/._0.png", "__MACOSX/bcc/._0.png", ".git/config"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0")
    assert load(str(folder)).names == tuple(sorted(NAMES))
    assert len(load(str(zipped(folder)))) == 6


def test_images_may_lie_deeper_in_their_class_folder(tmp_path: Path) -> None:
    class_folders(tmp_path / "all")
    write(tmp_path / "all" / "bcc" / "patient 7" / "left arm" / "1.png", 3)
    assert load(str(tmp_path / "all")).labels.tolist().count(1) == 3


def test_one_class_alone_can_be_loaded(tmp_path: Path) -> None:
    images = load(str(class_folders(tmp_path / "all", ("nv",))))
    assert images.names == ("nv",)
    assert images.labels.tolist() == [0, 0]


def test_train_and_test_folders_are_told_apart(tmp_path: Path) -> None:
    class_folders(tmp_path / "all" / "train", count=3)
    class_folders(tmp_path / "all" / "test", count=1, start=50)
    class_folders(tmp_path / "all" / "val", count=1, start=70)
    training, testing = (load(str(tmp_path / "all"), train=train) for train in (True, False))
    assert (len(training), len(testing)) == (9, 3)
    assert np.array_equal(testing.pixels[1], picture(51))


def test_a_class_that_one_split_lacks_keeps_its_number_in_the_other(tmp_path: Path) -> None:
    class_folders(tmp_path / "folders" / "train", ("a", "b", "c"), count=1)
    class_folders(tmp_path / "folders" / "test", ("a", "c", "d"), count=1)
    with_table(tmp_path / "tables" / "train", "file_name,label\na.png,a\nb.png,b\n")
    with_table(tmp_path / "tables" / "test", "file_name,label\na.png,d\nb.png,b\n")
    for name, names, wanted in (("folders", tuple("abcd"), [[0, 1, 2], [0, 2, 3]]), ("tables", tuple("abd"), [[0, 1], [2, 1]])):
        both = [load(str(tmp_path / name), train=train) for train in (True, False)]
        assert [images.names for images in both] == [names, names]
        assert [images.labels.tolist() for images in both] == wanted


@pytest.mark.parametrize("there", ["train", "test"])
def test_a_split_that_is_not_there_is_an_error_and_not_the_other_split(tmp_path: Path, there: str) -> None:
    class_folders(tmp_path / "all" / there)
    assert len(load(str(tmp_path / "all"), train=there == "train")) == 6
    with pytest.raises(DataError, match=r"has no folder '(train|test)'"):
        load(str(tmp_path / "all"), train=there != "train")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = load(str(class_folders(tmp_path / "vehicles", ("bus", "ship", "train"))))
    assert images.names == ("bus", "ship", "train")
    assert len(images) == 6


def test_a_table_gives_files_and_classes_in_its_own_order(tmp_path: Path) -> None:
    images = load(str(with_table(tmp_path / "all")))
    assert images.names == ("nv", "bcc")
    assert images.labels.tolist() == [0, 1]
    assert np.array_equal(images.pixels, np.stack([picture(2), picture(1)]))


@pytest.mark.parametrize("column", ["label", "class", "age"])
def test_a_table_may_call_the_class_by_other_names_and_hold_more_columns(tmp_path: Path, column: str) -> None:
    images = load(str(with_table(tmp_path / "all", f"sex,file_name,{column}\nf,a.png,10\nm,b.png,9\n")))
    assert images.names == ("9", "10")
    assert images.labels.tolist() == [1, 0]


def test_a_table_written_by_a_spreadsheet_can_be_read(tmp_path: Path) -> None:
    images = load(str(with_table(tmp_path / "all", '\ufefffile_name,label\r\n"a.png","Nävus, braun"\r\nb.png,bcc\r\n')))
    assert images.names == ("bcc", "Nävus, braun")


@pytest.mark.parametrize("top", ["", "ham/", "a/b/c/"])
@pytest.mark.parametrize("layout", [class_folders, with_table], ids=["folders", "table"])
def test_a_zip_is_read_like_the_folder_that_was_packed(tmp_path: Path, top: str, layout: Callable[[Path], Path]) -> None:
    folder = layout(tmp_path / "all")
    before, after = load(str(folder)), load(str(zipped(folder, "packed.ZIP", top)))
    assert np.array_equal(before.pixels, after.pixels)
    assert np.array_equal(before.labels, after.labels)
    assert before.names == after.names


def test_a_zip_with_splits_is_read_like_its_folder(tmp_path: Path) -> None:
    class_folders(tmp_path / "all" / "train", count=3)
    class_folders(tmp_path / "all" / "test", count=1)
    assert [len(load(str(zipped(tmp_path / "all", top="ham/")), train=train)) for train in (True, False)] == [9, 3]


def medmnist(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 7, 7), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % (4 if split == "train" else 2))[:, None].astype(np.uint8)
    np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return path


def test_medmnist_files_of_grey_or_colour_are_read_by_split(tmp_path: Path) -> None:
    path = medmnist(tmp_path / "skin.npz")
    for train, count in ((True, 6), (False, 3)):
        images = load(str(path), channels=1, train=train)
        assert images.pixels.shape == (count, 7, 7, 1)
        assert images.names == ("0", "1", "2", "3")
    assert load(str(path)).size == (7, 7, 3)
    colour = np.zeros((6, 7, 7, 3), dtype=np.uint8)
    assert load(str(medmnist(tmp_path / "colour.npz", train_images=colour)), size=4).size == (4, 4, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"train_images": None},
        {"train_labels": None},
        {"train_images": np.zeros((6, 7, 7), dtype=np.float32)},
        {"train_images": np.zeros((6, 7), dtype=np.uint8)},
        {"train_images": np.zeros((5, 7, 7), dtype=np.uint8)},
        {"train_images": np.zeros((0, 7, 7), dtype=np.uint8), "train_labels": np.zeros((0, 1), dtype=np.uint8)},
        {"train_images": np.array([{"a": 1}] * 6)},
        {"train_labels": np.zeros((6, 14), dtype=np.uint8)},
        {"train_labels": np.full((6, 1), -1)},
        {"train_labels": np.full((6, 1), 0.5)},
        {"train_labels": np.array([["nv"]] * 6)},
    ],
)
def test_an_npz_in_another_layout_is_an_error_that_names_it(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"skin\.npz"):
        load(str(medmnist(tmp_path / "skin.npz", **change)))


def test_a_damaged_npz_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = medmnist(tmp_path / "skin.npz").read_bytes()
    np.save(tmp_path / "one.npy", np.zeros(3))
    compressed = tmp_path / "compressed.npz"
    np.savez_compressed(
        compressed, train_images=np.zeros((9, 9, 9), dtype=np.uint8), train_labels=np.zeros((9, 1), dtype=np.uint8)
    )
    spoilt = bytearray(compressed.read_bytes())
    spoilt[60:80] = b"\xff" * 20
    for bad in (b"", b"garbage", whole[:100], whole[:-30], (tmp_path / "one.npy").read_bytes(), bytes(spoilt)):
        path = tmp_path / "bad.npz"
        path.write_bytes(bad)
        with pytest.raises(DataError, match=r"bad\.npz"):
            load(str(path))


def test_digits_are_scikit_learns_and_every_fifth_is_for_testing() -> None:
    training, testing = digits(), load("digits", train=False)
    bunch = load_digits()
    assert (len(training), len(testing)) == (1437, 360)
    assert testing.labels.tolist() == bunch.target[::5].tolist()
    assert training.size == (28, 28, 1)
    assert training.names == tuple("0123456789")
    small = np.stack(
        [np.asarray(Image.fromarray(one[..., 0]).resize((8, 8), Image.Resampling.BOX)) for one in testing.pixels[:40]]
    )
    grey = bunch.images[::5][:40] * 255 / 16
    assert np.corrcoef(small.ravel(), grey.ravel())[0, 1] > 0.98
    assert load("digits", size=8).size == (8, 8, 1)


def idx(array: npt.NDArray[Any]) -> bytes:
    """The format of MNIST's files: a magic number, the sizes, the bytes."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return head + array.astype(np.uint8).tobytes()


def tiny_mnist(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, count in (("train", 7), ("t10k", 3)):
        (raw / f"{name}-images-idx3-ubyte").write_bytes(idx(np.arange(count * 784).reshape(count, 28, 28) % 251))
        (raw / f"{name}-labels-idx1-ubyte").write_bytes(idx(np.arange(count)))


def tiny_cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two images in CIFAR-10's layout; torchvision is told their MD5 in the place of the true ones."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    sums: dict[str, str] = {}
    rng = np.random.default_rng(0)
    batches: dict[str, Any] = {
        name: {"data": rng.integers(0, 256, (2, 3072), dtype=np.uint8), "labels": [place, 9]}
        for place, name in enumerate([f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"])
    }
    for name, content in (batches | {"batches.meta": {"label_names": [f"class {label}" for label in range(10)]}}).items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [(name, sums[name]) for name in batches if name != "test_batch"])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [("test_batch", sums["test_batch"])])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": sums["batches.meta"]})


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def unreachable(*_: object, **__: object) -> None:
        raise OSError("no network in tests")

    monkeypatch.setattr("torchvision.datasets.utils.urllib.request.urlopen", unreachable)
    monkeypatch.setenv("OWNMARK_DATA", str(tmp_path))
    return tmp_path


def test_torchvisions_mnist_is_read_from_the_folder_that_the_user_names(offline: Path) -> None:
    tiny_mnist(offline)
    training, testing = (load("torchvision:MNIST", channels=1, train=train) for train in (True, False))
    assert training.pixels.shape == (7, 28, 28, 1)
    assert np.array_equal(testing.pixels.ravel(), np.arange(3 * 784) % 251)
    assert testing.labels.tolist() == [0, 1, 2]
    assert training.names[0] == "0 - zero"
    assert load("torchvision:MNIST", size=32).size == (32, 32, 3)


def test_torchvisions_cifar10_is_read_from_the_folder_that_the_user_names(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_cifar(offline, monkeypatch)
    training, testing = (load("torchvision:CIFAR10", train=train) for train in (True, False))
    assert training.pixels.shape == (10, 32, 32, 3)
    assert training.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]
    assert testing.labels.tolist() == [5, 9]
    assert testing.names[9] == "class 9"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["NoSuchSet", "MNIST", "ImageFolder", "VisionDataset", "utils", "FakeData", "SVHN", "__name__"])
def test_a_torchvision_set_that_cannot_be_had_is_an_error_that_names_it(name: str) -> None:
    with pytest.raises(DataError, match=name):
        load(f"torchvision:{name}")


def broken_places(root: Path) -> dict[str, Path]:
    """Folders and files that are nearly right, by what is wrong with them."""
    empty = root / "empty"
    empty.mkdir()
    class_folders(root / "no images in it" / "all", count=0)
    (root / "no images in it" / "all" / "nv").mkdir(parents=True)
    write(root / "loose" / "a.png")
    write(root / "photo.png")
    (root / "notes.txt").write_text("notes")
    (root / "bad.zip").write_bytes(b"PK\x03\x04 garbage")
    return {
        "empty": empty,
        "no class has an image": root / "no images in it",
        "images without a class": root / "loose",
        "an image": root / "photo.png",
        "a text": root / "notes.txt",
        "no zip": root / "bad.zip",
        "nothing there": root / "missing",
    }


@pytest.mark.parametrize(
    "name", ["empty", "no class has an image", "images without a class", "an image", "a text", "no zip", "nothing there"]
)
def test_a_place_without_images_in_classes_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    place = broken_places(tmp_path)[name]
    with pytest.raises(DataError, match=str(place)):
        load(str(place))


NO_IMAGES: dict[str, bytes] = {
    "a text": b"not an image",
    "nothing": b"",
    "half a png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x06",
    "half a jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a tiff of nonsense": b"II*\x00\x08\x00\x00\x00\xff\xff",
    "a gif of nonsense": b"GIF89a\xff\xff\xff\xff",
}


@pytest.mark.parametrize("content", NO_IMAGES.values(), ids=NO_IMAGES.keys())
@pytest.mark.parametrize("name", ["notes.txt", "z.png", "Thumbs.db"])
def test_a_file_that_is_no_image_is_named_and_not_passed_over(tmp_path: Path, content: bytes, name: str) -> None:
    folder = class_folders(tmp_path / "all")
    (folder / "bcc" / name).write_bytes(content)
    with pytest.raises(DataError, match=f"all/bcc/{name}"):
        load(str(folder))
    with pytest.raises(DataError, match=f"all.zip/bcc/{name}"):
        load(str(zipped(folder)))


@given(place=st.integers(0, 10_000), mask=st.integers(1, 255), cut=st.booleans())
def test_a_damaged_image_is_other_pixels_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, place: int, mask: int, *, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    for suffix in ("png", "jpg", "bmp", "webp", "tif"):
        path = write(folder / "nv" / f"a.{suffix}", size=(12, 12))
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= mask
        path.write_bytes(bytes(content[: place % len(content)] if cut else content))
        try:
            load(str(folder))
        except DataError as error:
            assert path.name in str(error)  # noqa: PT017 - either way is right, but no other error is
        path.unlink()


def test_an_image_of_more_than_eight_bits_is_an_error_since_it_would_be_cut_off(tmp_path: Path) -> None:
    (tmp_path / "nv").mkdir()
    Image.fromarray((np.arange(36).reshape(6, 6) * 1000).astype(np.uint16)).save(tmp_path / "nv" / "deep.png")
    with pytest.raises(DataError, match=r"nv/deep\.png.*8"):
        load(str(tmp_path))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_images_of_every_usual_colour_mode_are_read_as_colour_or_grey(tmp_path: Path, mode: str) -> None:
    (tmp_path / "nv").mkdir()
    Image.new("RGB", (5, 6), "white").convert(mode).save(tmp_path / "nv" / f"a.{'tif' if mode == 'CMYK' else 'png'}")
    assert (load(str(tmp_path)).pixels == 255).all()
    assert load(str(tmp_path), channels=1).size == (6, 5, 1)


def test_an_image_that_the_camera_marked_as_turned_is_turned(tmp_path: Path) -> None:
    (tmp_path / "nv").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.fromarray(picture(1, (6, 4))).save(tmp_path / "nv" / "a.png", exif=exif)
    assert np.array_equal(load(str(tmp_path)).pixels[0], np.rot90(picture(1, (6, 4)), -1))


def test_images_of_different_sizes_need_a_size_to_be_brought_to(tmp_path: Path) -> None:
    write(tmp_path / "nv" / "a.png", size=(10, 20))
    write(tmp_path / "nv" / "b.png", size=(20, 10))
    with pytest.raises(DataError, match=r"b\.png has another size than .*a\.png"):
        load(str(tmp_path))
    assert load(str(tmp_path), size=8).pixels.shape == (2, 8, 8, 3)


def test_scaling_keeps_the_middle_of_the_longer_side(tmp_path: Path) -> None:
    wide = np.zeros((8, 24, 3), dtype=np.uint8)
    wide[:, 8:16] = 255
    (tmp_path / "nv").mkdir()
    Image.fromarray(wide).save(tmp_path / "nv" / "a.png")
    assert (load(str(tmp_path), size=8).pixels == 255).all()


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": -3}, {"channels": 2}, {"channels": 0}])
def test_a_size_or_number_of_channels_that_cannot_be_is_an_error(tmp_path: Path, wrong: dict[str, Any]) -> None:
    for place in ("digits", str(class_folders(tmp_path / "all")), str(medmnist(tmp_path / "m.npz"))):
        with pytest.raises(DataError):
            load(place, **wrong)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("", "columns"),
        ("file_name,label\n", "columns"),
        ("name,label\na.png,nv\n", "columns"),
        ("file_name,diagnosis\na.png,nv\n", "columns"),
        ("file_name,label\na.png,nv\nb.png\n", "line 3"),
        ("file_name,label\na.png,\n", "line 2"),
        ("file_name,label\n,nv\n", "line 2"),
        ("file_name,label\nmissing.png,nv\n", "missing.png"),
        ("file_name,label\n../outside.png,nv\n", "outside"),
        ("file_name,label\n/etc/hostname,nv\n", "outside"),
    ],
)
def test_a_table_with_wrong_columns_or_rows_is_an_error_that_says_which(tmp_path: Path, rows: str, message: str) -> None:
    write(tmp_path / "outside.png")
    with pytest.raises(DataError, match=message) as caught:
        load(str(with_table(tmp_path / "all", rows)))
    assert str(tmp_path / "all") in str(caught.value)


def test_a_table_that_is_no_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = with_table(tmp_path / "all")
    for content in (
        "file_name,label\na.png,Nävus\n".encode("latin-1"),
        b"\x00\xff\x00",
        b'file_name,label\na.png,"' + b"x" * 200_000,
    ):
        (folder / "metadata.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"metadata\.csv"):
            load(str(folder))


@pytest.mark.parametrize("name", ["../evil.png", "a/../../evil.png", "/evil.png", "nv/../../../evil.png"])
def test_a_zip_that_leads_outside_is_refused_and_writes_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "inner" / "evil.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nv/good.png", b"")
        archive.writestr(name, b"evil")
    with pytest.raises(DataError, match=r"evil\.zip holds a path that leads outside"):
        load(str(path))
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["evil.zip", "inner"]
    assert not Path("/evil.png").exists()


def test_a_zip_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5):
            archive.writestr(f"nv/{number}.png", b"\0" * 1000)
        for member in archive.filelist:
            member.file_size = 4 * 2**30
    monkeypatch.setattr(zipfile.ZipFile, "extractall", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(DataError, match=r"bomb\.zip unpacks to more than 16 GiB"):
        load(str(path))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nv/a.png", b"\0" * 10**6)
        archive.filelist[0].file_size = 10
    with pytest.raises(DataError, match=r"liar\.zip"):
        load(str(path))


def test_a_zip_that_cannot_be_unpacked_is_an_error_that_names_it(tmp_path: Path) -> None:
    whole = zipped(class_folders(tmp_path / "all")).read_bytes()
    member, entry = whole.rindex(b"PK\x03\x04"), whole.rindex(b"PK\x01\x02")
    encrypted, unknown, damaged = bytearray(whole), bytearray(whole), bytearray(whole)
    encrypted[member + 6] |= 1
    encrypted[entry + 8] |= 1
    unknown[member + 8] = unknown[entry + 10] = 99
    damaged[member + 60 : member + 90] = b"\xff" * 30
    clash = tmp_path / "clash.zip"
    with zipfile.ZipFile(clash, "w") as archive:
        archive.writestr("nv", b"a file")
        archive.writestr("nv/a.png", b"in a folder of the same name")
    for content in (bytes(encrypted), bytes(unknown), clash.read_bytes(), bytes(damaged), whole[:-30], b""):
        path = tmp_path / "bad.zip"
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"bad\.zip"):
            load(str(path))


def test_unpacking_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    folder = class_folders(tmp_path / "all")
    load(str(zipped(folder)))
    (folder / "bcc" / "bad.png").write_bytes(b"bad")
    with pytest.raises(DataError):
        load(str(zipped(folder)))
    assert list(scratch.iterdir()) == []


def test_all_pixel_values_survive_being_numbers_between_zero_and_one() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    unit = to_unit(pixels, torch.device("cpu"))
    assert unit.shape == (1, 3, 16, 16)
    assert (float(unit.min()), float(unit.max())) == (0, 1)
    assert np.array_equal(to_pixels(unit), pixels)
    assert np.array_equal(to_pixels(unit.contiguous() + 0.4 / 255), pixels)
    assert to_pixels(torch.tensor([-1.0, 2.0]).view(1, 1, 1, 2)).ravel().tolist() == [0, 255]


def test_rounding_to_pixels_leaves_what_it_was_given() -> None:
    images = torch.rand(1, 3, 4, 4, requires_grad=True)
    before = images.detach().clone()
    to_pixels(images)
    assert torch.equal(images.detach(), before)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=5), st.integers(0, 60))
def test_shares_are_disjoint_and_as_large_as_they_say(parts: list[float], count: int) -> None:
    total = max(sum(parts), 1)
    fractions = tuple(part / total for part in parts)
    pixels = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    images = Images(pixels, np.zeros(count, dtype=np.int64), ("a",))
    found = shares(images, fractions, seed(0))
    taken = [value for share in found for value in share.pixels.ravel().tolist()]
    assert len(taken) == len(set(taken))
    assert all(abs(len(share) - fraction * count) <= 1 for share, fraction in zip(found, fractions, strict=True))
    again = shares(images, fractions, seed(0))
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(found, again, strict=True))


@pytest.mark.parametrize("parts", [(0.6, 0.6), (0.0, 0.5), (-0.1,), (), (float("nan"),)])
def test_shares_that_cannot_be_taken_are_an_error(parts: tuple[float, ...]) -> None:
    with pytest.raises(DataError):
        shares(pictures(), parts, seed(0))


def test_taking_rows_by_number_or_by_mask_keeps_images_and_labels_together() -> None:
    images = pictures(6)
    assert np.array_equal(images.take([4, 0]).pixels, images.pixels[[4, 0]])
    assert images.take(images.labels == 2).labels.tolist() == [2, 2]
    assert len(images.take([])) == 0


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [
        (np.zeros((2, 3, 3, 1)), [0, 0]),
        (np.zeros((2, 3, 3), dtype=np.uint8), [0, 0]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0, 2]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0, -1]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [[0], [1]]),
        (np.zeros((2, 3, 3, 1), dtype=np.uint8), [0.0, 1.0]),
    ],
)
def test_images_that_contradict_their_labels_cannot_be_made(pixels: npt.NDArray[Any], labels: Any) -> None:
    with pytest.raises(DataError):
        Images(pixels, np.asarray(labels), ("a", "b"))


def real(name: str, tmp_path: Path) -> Path:
    """The real set below OWNMARK_DATA, unpacked for the test if only its zip is there."""
    root = os.environ.get("OWNMARK_DATA")
    if not root:
        pytest.skip("OWNMARK_DATA names no folder of real images")
    if (Path(root) / name).is_dir():
        return Path(root)
    archive = next((path for path in Path(root).glob("*.zip") if path.stem.lower() == name.lower()), None)
    if archive is None:
        pytest.skip(f"{root} holds neither {name} nor its zip file")
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    return tmp_path


@pytest.mark.realdata
def test_real_skin_images_are_all_there(tmp_path: Path) -> None:
    images = load(str(real("ham10000", tmp_path) / "ham10000"), size=8, train=False)
    assert images.pixels.shape == (2008, 8, 8, 3)
    assert images.names == ("0_akiec", "1_bcc", "2_bkl", "3_df", "4_mel", "5_nv", "6_vasc")
    assert np.bincount(images.labels).argmax() == 5
    assert images.pixels.std() > 20


@pytest.mark.realdata
def test_real_mnist_is_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNMARK_DATA", str(real("MNIST", tmp_path)))
    images = load("torchvision:MNIST", channels=1, train=False)
    assert images.pixels.shape == (10_000, 28, 28, 1)
    assert np.bincount(images.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_the_limit_of_a_zip_is_the_one_in_the_message() -> None:
    assert data.MOST_BYTES == 16 * 2**30
