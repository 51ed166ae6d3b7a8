"""Folders, tables and zip files that are nearly right: an error names what is at fault."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from places import class_folders, medmnist, picture, with_table, write, zipped

from ownmark.data import folders
from ownmark.data.images import load
from ownmark.errors import DataError


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
    with pytest.raises(DataError, match=r"b\.png and .*a\.png differ in size"):
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
        ("file_name,label\n", "lists no image"),
        ("file_name;label\na.png;nv\n", "columns file_name and label .* with commas between columns, not semicolons"),
        ("file_name\tlabel\na.png\tnv\n", "with commas between columns, not tabs"),
        ("file_name,label\na.png,nv,mel\n", "more than 2 columns in line 2: expected one label per image"),
        ("file_name,age\na.png,3,5\n", "a number with a decimal point"),
        ("name,label\na.png,nv\n", "columns"),
        ("file_name,diagnosis\na.png,nv\n", "columns"),
        ("file_name,label\na.png,nv\nb.png\n", "line 3"),
        ("file_name,label\na.png,\n", "line 2"),
        ("file_name,label\n,nv\n", "line 2"),
        ("file_name,label\nmissing.png,nv\n", "missing.png"),
        ("file_name,label\na.png,nv\nb.png,nv\na.png,mel\n", r"a\.png in several lines \(2, 4\)"),
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
    with pytest.raises(DataError, match=r"evil\.zip contains a path that points outside"):
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


def test_the_limit_of_a_zip_is_the_one_in_the_message() -> None:
    assert folders.MOST_BYTES == 16 * 2**30
