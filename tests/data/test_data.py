"""Images from every place that a user has them, and a clear error with the name of what is at fault for all else."""

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from places import NAMES, class_folders, medmnist, picture, with_table, write, zipped
from sklearn.datasets import load_digits
from torchvision import datasets

from ownmark.data.images import digits, load
from ownmark.errors import DataError


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
    with pytest.raises(DataError, match=r"has no split '(train|test)'"):
        load(str(tmp_path / "all"), train=there != "train")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    images = load(str(class_folders(tmp_path / "vehicles", ("bus", "ship", "train"))))
    assert images.names == ("bus", "ship", "train")
    assert len(images) == 6


def test_a_table_gives_files_in_its_own_order_and_classes_in_that_of_their_names(tmp_path: Path) -> None:
    images = load(str(with_table(tmp_path / "all")))
    assert images.names == ("bcc", "nv")
    assert images.labels.tolist() == [1, 0]
    assert np.array_equal(images.pixels, np.stack([picture(2), picture(1)]))


@pytest.mark.parametrize("column", ["label", "class", "age"])
def test_a_table_may_call_the_class_by_other_names_and_hold_more_columns(tmp_path: Path, column: str) -> None:
    images = load(str(with_table(tmp_path / "all", f"sex,file_name,{column}\nf,a.png,10\nm,b.png,9\n")))
    assert images.names == ("9", "10")
    assert images.labels.tolist() == [1, 0]


def test_a_table_written_by_a_spreadsheet_can_be_read(tmp_path: Path) -> None:
    images = load(str(with_table(tmp_path / "all", '\ufefffile_name,label\r\n"a.png","Nävus, braun"\r\nb.png,bcc\r\n')))
    assert images.names == ("Nävus, braun", "bcc")


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


def test_a_folder_that_is_called_digits_is_never_taken_for_the_digits_of_scikit_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path / "digits")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="run this elsewhere"):
        load("digits", size=8)
    assert load("./digits", size=8).names == load(str(tmp_path / "digits"), size=8).names


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
