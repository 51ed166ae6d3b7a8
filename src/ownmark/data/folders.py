"""Reads image folders: one folder per class, or images with `metadata.csv`; with or without splits; zipped or not."""

import csv
import math
import os
import re
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ownmark.claims.fitting import BOTH, Fitting
from ownmark.errors import DataError

MODES = {1: "L", 3: "RGB"}
READERS = 8  # threads that read pictures; more wait for the disk
Size = tuple[int, int]  # height, width


def read_picture(file: Path, size: Size | Fitting | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels) of a file with at most 8 bits per channel, EXIF-rotated, then `fitted`.

    Raises DataError that names the file.
    """
    try:
        with Image.open(file) as opened:
            deep = opened.mode[0] in "IF"  # 16 or 32 bits per channel, which convert would truncate
            image = ImageOps.exif_transpose(opened).convert(MODES[channels])
    except Exception as error:  # decoders raise arbitrary errors on corrupt images
        raise DataError(f"{file} is not a readable image: {error}; remove or repair it") from error
    if deep:
        raise DataError(f"{file} has more than 8 bits per channel: convert it to 8 bits first, to control how values are rounded")
    return fitted(image, size, channels)


def read_pictures(files: Sequence[Path], size: Size | Fitting | None, channels: int) -> list[npt.NDArray[np.uint8]]:
    """`read_picture` of every file, in their order, on all cores: the decoder works outside Python's lock."""
    executor = ThreadPoolExecutor(min(os.cpu_count() or 1, READERS))
    try:
        return list(executor.map(partial(read_picture, size=size, channels=channels), files))
    finally:
        executor.shutdown(cancel_futures=True)


def fitted(image: Image.Image, size: Size | Fitting | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels), scaled to cover the size, then centre-cropped; or as a `Fitting` says it."""
    if isinstance(size, Fitting):
        image = _cut_out(_scaled(image, size), size.size)
    elif size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _scaled(image: Image.Image, fitting: Fitting) -> Image.Image:
    """Scaled as torchvision's Resize scales a picture: the longer side is rounded down."""
    if len(fitting.scaled) == BOTH:
        height, width = fitting.scaled
    else:
        height, width = (int(fitting.scaled[0] * side / min(image.size)) for side in (image.height, image.width))
    if (height, width) == (image.height, image.width):
        return image
    return image.resize((width, height), Image.Resampling[fitting.interpolation.upper()])


def _cut_out(image: Image.Image, size: Size) -> Image.Image:
    """The middle, as torchvision's CenterCrop takes it: half a pixel goes to the even one, and what is missing is black."""
    top, left = _start(image.height, size[0]), _start(image.width, size[1])
    return image.crop((left, top, left + size[1], top + size[0]))


def _start(side: int, cut: int) -> int:
    """Where a centred cut begins; before the picture if that is smaller."""
    return round((side - cut) / 2) if side >= cut else -((cut - side) // 2)


SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = ("train", "test")
ROLES = {  # common names of splits, in lower case and without "set", "data" and similar words
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "val"),
}
FILLERS = {"", "set", "data", "dataset", "images", "imgs", "split", "folder", "dir"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
TABLE = "metadata.csv"
TABLES = {".csv", ".tsv", ".json", ".jsonl", ".txt", ".parquet", ".xlsx"}  # files that may hold labels, elsewhere
MOST_BYTES = 16 * 2**30  # larger zips (unpacked) are refused


@dataclass(frozen=True)
class Row:
    """An image file, its label and, if known, the person it belongs to."""

    file: Path
    label: str
    person: str = ""


@dataclass(frozen=True)
class Listed:
    """Contents of a folder. `names`: all classes, including empty ones; `column`: the label column of its table, if any."""

    rows: list[Row]
    names: set[str]
    column: str = ""


def found(folder: Path, columns: tuple[str, ...]) -> dict[str, Listed]:
    """The contents of a place by split (train, test), or under "" without splits; `val` replaces a missing test split.

    Raises DataError if splits hold images instead of classes, or if two folders could be the same split.
    """
    while (inner := _wrapped(folder)) is not None and role(inner.name) is None:
        folder = inner
    places = _splits(folder)
    if not places:
        _check_classes(folder)
        return {"": listed(folder, columns)}
    return {name: listed(_inmost(place), columns) for name, place in places.items()}


def role(name: str) -> str | None:
    """The split that a folder's name stands for (`Training`, `test_set`, `seg_train`), or None."""
    words = re.split(r"[\W_]+", name.casefold())
    plain = [re.sub(r"(?<=.)(set|data)$", "", word) for word in words if word not in FILLERS]
    return ROLES.get(plain[-1]) if plain and len(plain) <= 2 else None  # noqa: PLR2004 - as in seg_train


def in_order(names: Iterable[str]) -> list[str]:
    """The canonical order of classes: by value if all names are numbers, otherwise alphabetical."""
    known = set(names)
    if all(NUMBER.fullmatch(name) and math.isfinite(float(name)) for name in known):
        return sorted(known, key=lambda name: (float(name), name))
    return sorted(known)


def _splits(folder: Path) -> dict[str, Path]:
    """The split folders by role; a split holds classes or a table."""
    places: dict[str, Path] = {}
    for path in filter(_is_whole, _folders(folder)):
        kind = role(path.name)
        if kind in places:
            raise DataError(
                f"{folder} has two folders that could be the {kind} split, {places[kind].name} and {path.name}: rename one"
            )
        if kind is not None:
            places[kind] = path
    if "val" in places:
        places.setdefault("test", places["val"])
        del places["val"]
    return {name: places[name] for name in SPLITS if name in places}


def _check_classes(folder: Path) -> None:
    """Raises DataError if all class folders are named like splits."""
    names = [path.name for path in _folders(folder)]
    if names and not (folder / TABLE).exists() and all(map(role, names)):
        raise DataError(
            f"{folder} holds {', '.join(names)}, which look like splits, not classes, but contain images directly: "
            f"put one folder per class, or {TABLE}, into each"
        )


def _wrapped(folder: Path) -> Path | None:
    """The inner folder, if `folder` contains nothing else and the inner folder is not a class."""
    inside = _folders(folder)
    alone = len(inside) == 1 and not (folder / TABLE).exists() and not _pictures(folder)
    return inside[0] if alone and _is_whole(inside[0]) else None


def _inmost(split: Path) -> Path:
    """The inner split where an archive nests a split in a folder of the same name."""
    inner = _wrapped(split)
    return split if inner is None or role(inner.name) != role(split.name) else _inmost(inner)


def _is_whole(folder: Path) -> bool:
    """Whether the folder holds classes or a table; a folder of images named "train" may be a class of vehicles."""
    return (folder / TABLE).exists() or bool(_folders(folder) and not _pictures(folder))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not _hidden(path))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file() and not _hidden(path))


def _files(folder: Path) -> list[Path]:
    """Every visible file at any depth; non-images are included, so that reading reports them instead of skipping them."""
    here = [path for path in folder.iterdir() if path.is_file() and not _hidden(path)]
    return sorted([*here, *(file for inner in _folders(folder) for file in _files(inner))])


def _hidden(path: Path) -> bool:
    """Whether a system or tool left it there: `.DS_Store`, `._0.png`, `.ipynb_checkpoints`, `__MACOSX`."""
    return path.name.startswith((".", "__MACOSX"))


def unlabelled(folder: Path) -> str:
    """That a folder has images, but none in a class, and beside which files that may say it; "" if it has none."""
    count = len(_pictures(folder))
    others = [path.name for path in folder.iterdir() if path.suffix.lower() in TABLES and not _hidden(path)]
    beside = f" beside {', '.join(sorted(others)[:3])}, which is not read" if others else ""
    return f"{folder} holds images ({count}) without labels{beside}" if count else ""


def loose(folder: Path) -> Listed:
    """The images of a folder without classes or a table; the folder itself is their class."""
    return Listed([Row(file, folder.name) for file in _pictures(folder)], {folder.name})


def listed(folder: Path, columns: tuple[str, ...]) -> Listed:
    """The files of a folder with labels from its class folders, or from the first of `columns` that its table has."""
    if (folder / TABLE).exists():
        return _from_table(folder / TABLE, columns)
    classes = _folders(folder)
    return Listed([Row(file, path.name) for path in classes for file in _files(path)], {path.name for path in classes})


def _from_table(table: Path, wanted: tuple[str, ...]) -> Listed:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, strict=True)
            columns, rows = list(reader.fieldnames or ()), list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} is not a readable UTF-8 table: {error}") from error
    column = next((name for name in wanted if name in columns), None)
    if "file_name" not in columns or column is None:
        either = f"{wanted[0]} (or {', '.join(wanted[1:])})"
        raise DataError(f"{table}: expected the columns file_name and {either}{_parted(columns)}, got {columns}")
    if not rows:
        raise DataError(f"{table} lists no image below its columns")
    for line, row in enumerate(rows, start=2):
        if None in row:
            raise DataError(
                f"{table} has more than {len(columns)} columns in line {line}: expected one label per image, a number with a "
                'decimal point, and quotes around a text with a comma ("cat, grey")'
            )
        if not row["file_name"] or not row[column]:
            raise DataError(f"{table} has no file_name or no {column} in line {line}")
        if _leads_outside(row["file_name"]):
            raise DataError(f"{table} names a file outside its folder in line {line}: {row['file_name']}")
    _check_once(table, [row["file_name"] for row in rows])
    entries = [Row(table.parent / row["file_name"], row[column], row.get("person") or "") for row in rows]
    return Listed(entries, {row.label for row in entries}, column)


def _parted(columns: Sequence[str]) -> str:
    """How a table whose only column holds all names is to be written; "" for any other."""
    known = {";": "semicolons", "\t": "tabs"}
    sign = next((sign for sign in known if len(columns) == 1 and sign in columns[0]), None)
    return "" if sign is None else f" with commas between columns, not {known[sign]}"


def _check_once(table: Path, names: Sequence[str]) -> None:
    """Raises DataError for an image that the table names twice: with two labels it has no class, with one it counts double."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        lines = ", ".join(str(line) for line, name in enumerate(names, start=2) if name == twice)
        raise DataError(f"{table} names {twice} in several lines ({lines}): expected one label per image")


def _leads_outside(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts


@contextmanager
def unzipped(path: Path) -> Iterator[Path]:
    """Unpacks a zip file into a temporary folder; error messages name the zip file instead of that folder."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            _extract(path, folder)
            yield Path(folder)
        except DataError as error:
            raise DataError(str(error).replace(folder, str(path))) from error


def _extract(path: Path, folder: str) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise DataError(f"{path} unpacks to more than {MOST_BYTES // 2**30} GiB; unpack it yourself")
            outside = next(filter(_leads_outside, archive.namelist()), None)
            if outside is not None:
                raise DataError(f"{path} contains a path that points outside: {outside}")
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
