"""Is a model in this app a copy of mine? Every model is found by content, within limits, and nothing is executed."""

import errno
import gzip
import io
import os
import tarfile
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from apps import WANTED, app, calibrated, lying, zipped
from asking import exported
from torch import nn
from workshop import ownmark

from ownmark.claims.claim import Claim
from ownmark.errors import UsageError
from ownmark.finding import search as finding
from ownmark.finding.archives import Limits
from ownmark.finding.contents import content_of
from ownmark.finding.search import Search, is_container, search
from ownmark.protocols import Suspect
from ownmark.scoring.null_models import Innocents
from ownmark.suspects.opener import Opener, Opening

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory, model: nn.Module) -> tuple[Path, Claim]:
    """The app and the claim, in a folder of their own."""
    folder = tmp_path_factory.mktemp("app")
    claim = calibrated(model)
    claim.save(folder / "my.claim")
    return app(folder, model, claim), claim


def found_in(data: bytes, tmp_path: Path, limits: Limits = Limits(), name: str = "a.zip") -> Search:
    (tmp_path / name).write_bytes(data)
    into = tmp_path / f"into-{len(list(tmp_path.iterdir()))}"
    into.mkdir()
    found = search(str(tmp_path / name), into, limits)
    for file in into.rglob("*"):
        assert file.resolve().is_relative_to(into.resolve())
    assert sorted(each.name for each in tmp_path.iterdir() if not each.name.startswith("into-")) == [name]
    return found


def test_a_claim_with_too_few_innocents_for_a_scan_still_tells_what_is_in_the_app(
    shipped: tuple[Path, Claim], capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(shipped[0].parent)
    _, claim = shipped
    few = replace(claim.tests[0], null=Innocents((0.1, 0.2), tuple(f"{number:064}" for number in range(2))))
    replace(claim, tests=(few,)).save(tmp_path / "few.claim")
    ran = ownmark(capsys, "scan", tmp_path / "few.claim", "app.apk", "--keep", tmp_path / "kept")
    assert ran.code == 2
    said = " ".join(ran.err.split())
    assert "with 2 innocent models p is at least 1/3" in said
    assert all(name in said for name in WANTED), "these could be asked"
    assert "same.onnx could not: it is the same file as" in said
    assert not (tmp_path / "kept").exists()


def only(found: Search) -> str:
    """The one reason why something was refused."""
    (why,) = found.refused.values()
    return why


def test_a_scan_of_an_app_names_the_two_copies_of_twelve_models(
    shipped: tuple[Path, Claim], capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(shipped[0].parent)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ["scan", "my.claim", "app.apk", "--keep", tmp_path / "kept", "--json"]
    ran = ownmark(capsys, *words)
    assert ran.code == 0, ran.err
    rows = {row["suspect"]: row for row in ran.record["rows"]}
    assert {name for name, row in rows.items() if "MATCH (supporting)" in str(row["outcome"])} == set(WANTED)
    assert len(rows) == 7
    assert "app.apk!assets/large.onnx (images resized from 16x16 to 24x24)" in rows
    for name in WANTED:
        assert rows[name]["named"] == pytest.approx(14 * rows[name]["alone"]["p"]), "for seven, and later scans"
    why = {one["place"]: one["why"] for one in ran.record["unasked"]}
    assert why["app.apk!lib/bundle.zip!same.onnx"] == "it is the same file as app.apk!assets/flutter_assets/core.dat"
    assert "perhaps it is encrypted" in why["app.apk!assets/secret.tflite"]
    assert "--model" in why["app.apk!assets/w.safetensors"]
    assert "must have one input" in why["app.apk!lib/bundle.zip!text.bin"]
    assert "app.apk!assets/masks.onnx" in why
    assert "outputs" in why["app.apk!assets/boxes.onnx"]
    assert "app.apk!assets/other.tflite" in why
    assert len(why) == 7
    assert [file.name for file in tmp_path.iterdir()] == ["kept"], "nothing unpacked is left behind"
    told = ownmark(capsys, *words[:-1])
    assert "7 files of 21 not asked:" in told.out
    assert "M = 7 suspects" in told.out


def test_a_folder_and_a_packed_tar_are_searched_like_an_app(tmp_path: Path, model: nn.Module) -> None:
    data = exported(model, tmp_path / "m.onnx").read_bytes()
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        entry = tarfile.TarInfo("inner/model")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
        link = tarfile.TarInfo("link.onnx")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        archive.addfile(link)
    shop = tmp_path / "shop"
    (shop / "sub").mkdir(parents=True)
    (shop / "sub" / "all.tgz").write_bytes(gzip.compress(held.getvalue()))
    (shop / "plain").write_bytes(data)
    (shop / "linked.onnx").symlink_to(tmp_path / "m.onnx")
    into = tmp_path / "into"
    into.mkdir()
    found = search(str(shop), into)
    assert {one.place.removeprefix(f"{shop}/") for one in found.models} == {"plain", "sub/all.tgz!content!inner/model"}
    assert {one.digest for one in found.models} == {found.models[0].digest}
    assert "link" in only(found)


def test_a_declared_bomb_a_way_out_and_two_gibibytes_are_refused_and_the_rest_is_read(tmp_path: Path, model: nn.Module) -> None:
    good = exported(model, tmp_path / "good.onnx").read_bytes()
    (tmp_path / "good.onnx").unlink()
    files = {"bomb.onnx": b"\x08\x07", "../../out.onnx": good, "two.onnx": b"\x08\x07", "good.onnx": good}
    data = zipped(files, zipfile.ZIP_STORED)
    data = lying(data, "bomb.onnx", size=900 * 2**20, packed=2)
    data = lying(data, "two.onnx", size=2**31, packed=2**31 - 1)
    found = found_in(data, tmp_path)
    assert [one.place.rpartition("!")[2] for one in found.models] == ["good.onnx"]
    why = {place.rpartition("!")[2]: told for place, told in found.refused.items()}
    assert "times its packed size" in why["bomb.onnx"]
    assert why["../../out.onnx"] == "its name leads out of the archive"
    assert why["two.onnx"] == f"it declares {2**31} bytes, more than the limit of {2**30}"


def test_members_that_lie_over_each_other_are_refused(tmp_path: Path) -> None:
    data = zipped({"a.onnx": b"\x08\x07" * 20, "b.onnx": b"\x08\x07" * 20}, zipfile.ZIP_STORED)
    found = found_in(lying(data, "a.onnx", size=120, packed=120), tmp_path)
    assert any("lie over" in why for why in found.refused.values())


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (Limits(member=100), "more than the limit of 100"),
        (Limits(total=150), "grows beyond"),
        (Limits(depth=1), "it lies in 1 archives, more than the limit of 1"),
        (Limits(count=2), "more than 2 files"),
    ],
)
def test_every_limit_stops_a_search_and_says_so(limits: Limits, told: str, tmp_path: Path) -> None:
    inner = zipped({"a.onnx": b"\x08\x07" * 60}, zipfile.ZIP_STORED)
    found = found_in(zipped({"x": b"-", "inner.zip": inner, "z": b"-"}, zipfile.ZIP_STORED), tmp_path, limits)
    assert any(told in why for why in found.refused.values()), found.refused
    with pytest.raises(UsageError, match="positive"):
        Limits(depth=0)


def test_a_gzip_that_grows_too_large_is_left_while_it_is_unpacked(tmp_path: Path) -> None:
    data = gzip.compress(b"\x08\x07" + bytes(3 * 2**20))
    assert "grows beyond" in only(found_in(data, tmp_path, Limits(ratio=20), "a.gz"))


def test_a_program_is_named_and_never_opened(tmp_path: Path, shipped: tuple[Path, Claim], capsys: Capture) -> None:
    """TorchScript and pickles hold code."""
    inner = {"m/code/__torch__.py": b"raise SystemExit", "m/data.pkl": b"\x80\x02}.", "m/constants.pkl": b"\x80\x02)."}
    pickle = b"\x80\x04cos\nsystem\n."
    (tmp_path / "a.zip").write_bytes(zipped({"m.ptl": zipped(inner), "m.pkl": pickle}))
    claim = shipped[0].with_name("my.claim")
    ran = ownmark(capsys, "scan", claim, tmp_path / "a.zip", "--keep", tmp_path / "kept", "--json")
    assert ran.code == 3
    assert {one["what"] for one in ran.record["unasked"]} == {"TorchScript", "a Python pickle"}
    assert all("a scan runs none" in one["why"] for one in ran.record["unasked"])
    assert not (tmp_path / "kept").exists()


def test_broken_archives_are_told(tmp_path: Path) -> None:
    whole = zipped({"a.onnx": b"\x08\x07" * 60})
    for end in (30, 60, len(whole) - 5):
        assert "cannot be read as a zip archive" in only(found_in(whole[:end], tmp_path))
    damaged = whole.replace(whole[36:40], bytes(4), 1)
    assert "cannot be unpacked" in only(found_in(damaged, tmp_path))


def test_formats_are_told_by_content_alone(tmp_path: Path, model: nn.Module) -> None:
    contents = {
        "ONNX": exported(model, tmp_path / "x").read_bytes(),
        "LiteRT (TensorFlow Lite)": b"\x1c\0\0\0TFL3" + bytes(30),
        "ExecuTorch": b"\x1c\0\0\0ET12" + bytes(30),
        "OpenVINO IR": b'<?xml version="1.0"?>\n<net name="m" version="11">\n<layers>',
        "ncnn": b"7767517\n75 83\n",
        "Keras": zipped({"config.json": b"{}", "model.weights.h5": b""}),
        "weights in safetensors": b"\x02" + bytes(7) + b"{}",
        "Core ML": b"\x08\x04\x12\x00\xa2\x1f\x00",
        "a graph of TensorFlow": b"\x0a\x10\x0a\x01x\x12\x0bPlaceholder",
    }
    for name, data in contents.items():
        (tmp_path / "x").write_bytes(data)
        found = content_of(tmp_path / "x")
        assert getattr(found, "name", None) == name
    for junk in (b"", b"\x08", b"<html>", b"{}", os.urandom(3), b"\x0a\x02hi" * 9):
        (tmp_path / "x").write_bytes(junk)
        assert content_of(tmp_path / "x") is None


def test_what_a_kind_of_suspect_opens_is_no_container(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(zipped({"m/data.pkl": b""}))
    (tmp_path / "w").write_bytes(zipped({"m/data.pkl": b""}))
    (tmp_path / "app").write_bytes(zipped({"a": b""}))
    assert [is_container(str(tmp_path / name)) for name in ("w.pt", "w", "app", "", "absent")] == [
        False,
        False,
        True,
        True,
        False,
    ]
    assert not is_container("torchvision:resnet18")


def unopened(_: Opening) -> Suspect:
    raise AssertionError


def test_a_kind_of_suspect_that_no_format_tells_is_found_by_the_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new runtime needs no line here: its `magic`, or its suffix where nothing tells the content, is enough."""
    new = Opener(written="a .new file", suffixes=(".new",), magic=(0, b"\x01NEW"), opened=unopened)
    blind = Opener(written="a .blind file", suffixes=(".blind",), opened=unopened)
    monkeypatch.setattr(finding, "KINDS", (new, blind))
    found = found_in(
        zipped({"a.dat": b"\x01NEW model", "b.blind": b"\xff\xfe", "c.dat": b"\xff\xfe", "d.onnx": b"\xff"}), tmp_path
    )
    assert {one.place.rpartition("!")[2]: one.file.suffix for one in found.models} == {"a.dat": ".new", "b.blind": ".blind"}
    assert "perhaps it is encrypted" in only(found)


def test_a_folder_that_nobody_may_look_into_and_a_file_that_has_gone_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a scan of nothing would look as one that found nothing."""
    for place in ("open/a.onnx", "closed/b.onnx", "open/c.onnx"):
        (tmp_path / "all" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "all" / place).write_bytes(b"none")
    listed, is_file = os.scandir, Path.is_file

    def scandir(path: Path | str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return listed(path)

    def asked(path: Path) -> bool:
        if path.name == "c.onnx":
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return is_file(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(Path, "is_file", asked)
    (tmp_path / "into").mkdir()
    found = search(str(tmp_path / "all"), tmp_path / "into")
    told = {Path(place).name: why for place, why in found.refused.items()}
    assert told["closed"] == "it cannot be looked into: Permission denied"
    assert told["c.onnx"] == "it cannot be looked into: Stale file handle"
    assert "its content is none that is known" in told["a.onnx"]
