"""Boxes as others write them down: COCO's JSON, Pascal VOC's XML files and YOLO's text files, in a folder with its images."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image

from ownmark.data.folders import SUFFIXES, read_picture, role
from ownmark.errors import DataError
from ownmark.tasks import boxes

MOST_BYTES = 2**30  # of one file of annotations
Read = TypeVar("Read")
NAMES = ("classes.txt", "obj.names", "labels.txt")


@dataclass(frozen=True)
class Thing:
    """One object: the `name` of its class, and its box as shares of the image's sides: left, upper, right and lower edge."""

    name: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Annotated:
    """Images of one split with their objects; `names`: all classes that the annotations know."""

    files: tuple[Path, ...]
    things: tuple[tuple[Thing, ...], ...]
    names: tuple[str, ...]

    def labels(self) -> npt.NDArray[np.float64]:
        """(n, m, 6): see `tasks.boxes`."""
        most = max([1, *map(len, self.things)])
        found = np.zeros((len(self.files), most, boxes.COLUMNS))
        for image, things in zip(found, self.things, strict=True):
            for row, thing in zip(image, things, strict=False):
                row[:] = (self.names.index(thing.name), *thing.box, 1.0)
        return found


def annotated(folder: Path, *, train: bool) -> Annotated:
    """The images of a folder, or of its split for training or testing. Raises DataError that names the file at fault."""
    splits = {role(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}
    inside = {kind: path for kind, path in splits.items() if kind is not None}
    inside.setdefault("test", inside.get("val", folder))
    chosen = inside.get("train" if train else "test", folder) if "train" in inside else folder
    for read in (_coco, _voc, _yolo):
        found = read(chosen, folder)
        if found is not None:
            return found
    raise DataError(
        f"{chosen} holds no boxes: expected COCO's JSON (images, annotations, categories), Pascal VOC's XML files, "
        "or YOLO's text files in labels/ with their classes in data.yaml or classes.txt"
    )


def _coco(folder: Path, _: Path) -> Annotated | None:
    for file in sorted([*folder.glob("*.json"), *folder.glob("annotations/*.json")]):
        told = _json(file)
        if isinstance(told, dict) and {"images", "annotations", "categories"} <= set(told):
            return _named(file, partial(_from_coco, told, folder, file))
    return None


def _from_coco(told: dict[str, Any], folder: Path, file: Path) -> Annotated:
    classes = {one["id"]: str(one["name"]) for one in sorted(told["categories"], key=lambda one: one["id"])}
    things: dict[Any, list[Thing]] = {one["id"]: [] for one in told["images"]}
    sizes = {one["id"]: (float(one["width"]), float(one["height"])) for one in told["images"]}
    for one in told["annotations"]:
        wide, high = sizes[one["image_id"]]
        left, top, width, height = map(float, one["bbox"])
        box = (left / wide, top / high, (left + width) / wide, (top + height) / high)
        if not one.get("iscrowd", 0):
            things[one["image_id"]].extend(_inside(classes[one["category_id"]], box))
    files = tuple(_image(folder, str(one["file_name"]), file) for one in told["images"])
    return Annotated(files, tuple(tuple(things[one["id"]]) for one in told["images"]), tuple(classes.values()))


def _voc(folder: Path, _: Path) -> Annotated | None:
    files = sorted([*folder.glob("Annotations/*.xml"), *folder.glob("*.xml")])
    if not files:
        return None
    read = [_named(file, partial(_from_voc, file, folder)) for file in files]
    names = tuple(sorted({thing.name for _, things in read for thing in things}))
    return Annotated(tuple(image for image, _ in read), tuple(things for _, things in read), names)


def _from_voc(file: Path, folder: Path) -> tuple[Path, tuple[Thing, ...]]:
    text = _bytes(file)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise DataError("it declares a document type, which Pascal VOC does not have")
    root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities to expand
    wide, high = (float(_text(root, f"size/{side}")) for side in ("width", "height"))
    things: list[Thing] = []
    for one in root.iter("object"):
        left, top, right, bottom = (float(_text(one, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
        things += _inside(_text(one, "name"), ((left - 1) / wide, (top - 1) / high, right / wide, bottom / high))
    return _image(folder, _text(root, "filename"), file), tuple(things)


def _text(root: ET.Element, path: str) -> str:
    found = root.findtext(path)
    if found is None:
        raise DataError(f"it has no {path}")
    return found.strip()


def _yolo(folder: Path, whole: Path) -> Annotated | None:
    """YOLO's layouts: images/ and labels/ in the split, or images/SPLIT and labels/SPLIT beside each other."""
    pictures, texts = folder / "images", folder / "labels"
    if not texts.is_dir():
        return None
    names = _yolo_names(folder) or _yolo_names(whole)
    if not names:
        raise DataError(f"{whole} holds YOLO's labels without the names of their classes: add data.yaml or {NAMES[0]}")
    files = sorted(file for file in pictures.glob("*") if file.suffix.lower() in SUFFIXES)
    things = tuple(_of_image(texts / f"{file.stem}.txt", names) for file in files)
    return Annotated(tuple(files), things, names)


def _of_image(file: Path, names: tuple[str, ...]) -> tuple[Thing, ...]:
    """An image without objects may have no file."""
    return _named(file, partial(_from_yolo, file, names)) if file.exists() else ()


def _from_yolo(file: Path, names: tuple[str, ...]) -> tuple[Thing, ...]:
    things: list[Thing] = []
    for line in _bytes(file).decode().splitlines():
        words = line.split()
        if len(words) == 5:  # noqa: PLR2004 - a class and four numbers
            across, down, width, height = map(float, words[1:])
            box = (across - width / 2, down - height / 2, across + width / 2, down + height / 2)
            things += _inside(names[_index(words[0], names)], box)
        elif words:
            raise DataError(f"expected a class and four numbers per line, got {line[:60]!r}")
    return tuple(things)


def _index(word: str, names: tuple[str, ...]) -> int:
    if not word.isdecimal() or int(word) >= len(names):
        raise DataError(f"expected a class in [0, {len(names)}), got {word[:20]!r}")
    return int(word)


def _yolo_names(folder: Path) -> tuple[str, ...]:
    for file in sorted(folder.glob("*.yaml")):
        told = _named(file, partial(_yaml, file))
        found = told.get("names") if isinstance(told, dict) else None
        if isinstance(found, dict):
            return tuple(str(found[key]) for key in sorted(found))
        if isinstance(found, list):
            return tuple(map(str, found))
    listed = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    return () if listed is None else tuple(line.strip() for line in _bytes(listed).decode().splitlines() if line.strip())


def _yaml(file: Path) -> Any:  # noqa: ANN401 - any YAML value
    return yaml.safe_load(_bytes(file))


def _inside(name: str, box: tuple[float, ...]) -> Iterator[Thing]:
    """The object, cut off at the image's edges; nothing where no area is left."""
    if not all(map(math.isfinite, box)):
        raise DataError(f"a box of {name[:40]!r} is not finite")
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    if left < right and top < bottom:
        yield Thing(name, (left, top, right, bottom))


def _image(folder: Path, name: str, told_by: Path) -> Path:
    """The image of that name, in the folder or one of its usual places."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise DataError(f"{told_by} names a file outside its folder: {name}")
    places = [folder / name, folder / "images" / name, folder / "JPEGImages" / name]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataError(f"{told_by} names {name}, which is neither in {folder} nor in its images/ or JPEGImages/")
    return found


def _json(file: Path) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(_bytes(file))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file} is not readable JSON: {error}") from error


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise DataError(f"{file} is larger than {MOST_BYTES // 2**30} GiB")
        return file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error


def _named(file: Path, read: Callable[[], Read]) -> Read:
    """What `read` gives; whatever it meets in the file is a DataError that names it."""
    try:
        return read()
    except DataError as error:
        raise DataError(str(error) if str(file) in str(error) else f"{file}: {error}") from error
    except (ET.ParseError, yaml.YAMLError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{file} is not in its format: {type(error).__name__} {error}") from error


def squeezed(file: Path, size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels) of the whole image at `size` x `size`: cropping would cut boxes off."""
    whole = read_picture(file, None, channels)
    if size is None:
        return whole
    grey = whole[..., 0] if channels == 1 else whole
    resized = Image.fromarray(grey).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.uint8).reshape(size, size, channels)
