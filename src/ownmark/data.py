"""Images and labels as everyone here holds them, and the places they come from.

A place is named by what a user has: `digits`, a torchvision set (`torchvision:MNIST`), a folder of class folders, a folder
with `metadata.csv`, a zip of either, or a MedMNIST `.npz` file.
"""

import csv
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ownmark.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = ("train", "test")
TABLE = "metadata.csv"
MOST_BYTES = 16 * 2**30  # a zip that unpacks to more is refused


@dataclass(frozen=True)
class Images:
    """`pixels`: (n, height, width, channels) uint8; `labels`: (n,) int64 in [0, classes); `names`: one per class."""

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4:  # noqa: PLR2004 - n, height, width, channels
            got = f"{self.pixels.dtype} {self.pixels.shape}"
            raise DataError(f"images must be uint8 (n, height, width, channels), got {got}")
        if self.labels.shape != self.pixels.shape[:1] or self.labels.dtype.kind not in "iu":
            got = f"{self.labels.dtype} {self.labels.shape}"
            raise DataError(f"{len(self.pixels)} images need as many whole numbers as labels, got {got}")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.names):
            got = f"{self.labels.min()} to {self.labels.max()}"
            raise DataError(f"labels must lie in [0, {len(self.names)}), got {got}")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def take(self, rows: npt.ArrayLike) -> "Images":
        """The chosen images, in that order; `rows` are indices or a mask."""
        chosen = np.asarray(rows)
        chosen = chosen if chosen.size else chosen.astype(np.int64)
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def batch(self, rows: Tensor, device: torch.device) -> Tensor:
        """Chosen images as float (n, channels, height, width) in [0, 1] on `device`, channels last in memory."""
        return to_unit(self.pixels[rows.numpy()], device)


def to_unit(pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """8-bit pixels (n, height, width, channels) -> float (n, channels, height, width) in [0, 1], channels last in memory."""
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).div(255)


def to_pixels(images: Tensor) -> npt.NDArray[np.uint8]:
    """Float (n, channels, height, width) in [0, 1] -> 8-bit pixels (n, height, width, channels), rounded to nearest."""
    rounded = (images.detach() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())


def shares(images: Images, parts: tuple[float, ...], rng: torch.Generator) -> list[Images]:
    """Disjoint random parts of `images`, each with the given share of them (the shares sum to at most 1)."""
    if not parts or not sum(parts) <= 1 + 1e-9 or min(parts) <= 0:
        raise DataError(f"parts must be positive and sum to at most 1, got {parts}")
    order = torch.randperm(len(images), generator=rng).numpy()
    ends = np.round(np.cumsum(parts) * len(images)).astype(int)
    return [images.take(np.sort(order[start:end])) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def load(place: str, *, size: int | None = None, train: bool = True, channels: int = 3) -> Images:
    """Images from the named place, scaled so that the shorter side is `size`, then cropped to its centre.

    Without `size` all images must have one size already. `train` picks the split where the place has splits. `channels` is 3
    (colour) or 1 (grey); the digits are always grey. Raises DataError with the name of the file at fault.
    """
    if channels not in {1, 3} or (size is not None and size < 1):
        raise DataError(f"images need 1 or 3 channels and a size of at least 1, got channels={channels}, size={size}")
    if place == "digits":
        return digits(train=train, size=size or 28)
    if place.startswith("torchvision:"):
        return _torchvision(place.removeprefix("torchvision:"), size, channels, train=train)
    path = Path(place)
    if path.is_dir():
        return _folder(path, size, channels, train=train)
    if not path.exists():
        raise DataError(f"no such folder or file: {path}; give a folder of images, a zip of one, an .npz, or 'digits'")
    if path.suffix.lower() == ".npz":
        return _medmnist(path, size, channels, train=train)
    if path.suffix.lower() != ".zip":
        raise DataError(f"{path} is one file: give a folder of images, a zip of one, or an .npz in MedMNIST's layout")
    with _unzipped(path) as folder:
        return _folder(folder, size, channels, train=train)


def digits(*, train: bool = True, size: int = 28) -> Images:
    """The 1,797 handwritten 8x8 digits that come with scikit-learn, enlarged to `size`, grey; every fifth is for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    tests = np.arange(len(grey)) % 5 == 0
    chosen = ~tests if train else tests
    large = [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) for image in grey[chosen]]
    return Images(np.stack(large)[..., None], bunch.target[chosen].astype(np.int64), tuple("0123456789"))


def _folder(folder: Path, size: int | None, channels: int, *, train: bool) -> Images:
    """A folder of class folders or of images + metadata.csv, perhaps below `train` and `test`, which share their classes."""
    while (inner := _wrapped(folder)) is not None:
        folder = inner
    places = [folder / name for name in SPLITS if _is_split(folder / name)]
    chosen = folder / SPLITS[0 if train else 1] if places else folder
    if places and chosen not in places:
        raise DataError(f"{folder} has no folder {chosen.name!r} of images, only {places[0].name!r}")
    listed = {place: _listed(place) for place in places or [folder]}
    names = sorted({name for _, classes in listed.values() for name in classes})
    if any((place / TABLE).exists() for place in listed):
        names.sort(key=len)  # numbers in their order
    label = {name: place for place, name in enumerate(names)}
    rows, _ = listed[chosen]
    if not rows:
        raise DataError(f"no image in {chosen}: needs one folder a class with images in it, or images and {TABLE}")
    pixels = _stacked([file for file, _ in rows], size, channels)
    return Images(pixels, np.array([label[name] for _, name in rows], dtype=np.int64), tuple(names))


def _wrapped(folder: Path) -> Path | None:
    """The only folder in a folder that holds nothing else and is neither a class nor a split."""
    inside = _folders(folder)
    if len(inside) != 1 or (folder / TABLE).exists() or _pictures(folder):
        return None
    inner = inside[0]
    whole = (inner / TABLE).exists() or (_folders(inner) and not _pictures(inner))
    return inner if whole and inner.name not in SPLITS else None


def _is_split(folder: Path) -> bool:
    """Whether it holds classes or a table: a folder of images that is called train may be a class of vehicles."""
    return folder.is_dir() and ((folder / TABLE).exists() or bool(_folders(folder) and not _pictures(folder)))


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__MACOSX")))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _files(folder: Path) -> list[Path]:
    """Every file that is not hidden: one that is not an image must be reported when it is read, not passed over."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _listed(folder: Path) -> tuple[list[tuple[Path, str]], set[str]]:
    """The files of a folder with the names of their classes, and the names of all classes, those without a file too."""
    if (folder / TABLE).exists():
        rows = _from_table(folder / TABLE)
        return rows, {name for _, name in rows}
    classes = _folders(folder)
    return [(file, path.name) for path in classes for file in _files(path)], {path.name for path in classes}


def _from_table(table: Path) -> list[tuple[Path, str]]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{table} cannot be read as a table in UTF-8: {error}") from error
    columns = list(rows[0]) if rows else []
    column = next((name for name in ("label", "class", "age") if name in columns), None)
    if "file_name" not in columns or column is None:
        raise DataError(f"{table} needs the columns file_name and label (or class, age), got {columns}")
    for line, row in enumerate(rows, start=2):
        if not row["file_name"] or not row[column]:
            raise DataError(f"{table} lacks a file_name or a {column} in line {line}")
        if _leads_outside(row["file_name"]):
            raise DataError(f"{table} names a file outside of its folder in line {line}: {row['file_name']}")
    return [(table.parent / row["file_name"], row[column]) for row in rows]


def _leads_outside(name: str) -> bool:
    return PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts


def _stacked(files: list[Path], size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    pixels = [_read(file, size, channels) for file in files]
    odd = next((file for file, one in zip(files, pixels, strict=True) if one.shape != pixels[0].shape), None)
    if odd is not None:
        raise DataError(f"{odd} has another size than {files[0]}; say which size to bring all images to (--size)")
    return np.stack(pixels)


def _read(file: Path, size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(file) as opened:
            deep = opened.mode[0] in "IF"  # 16 or 32 bits a pixel, which convert would cut off
            image = ImageOps.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
    except Exception as error:  # a damaged image makes its reader raise anything
        raise DataError(f"{file} cannot be read as an image: {error}; remove or repair it") from error
    if deep:
        raise DataError(f"{file} has more than 8 bits a pixel: bring it to 8 bits first, so that nothing is cut off")
    return _fitted(image, size, channels)


def _fitted(image: Image.Image, size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _torchvision(name: str, size: int | None, channels: int, *, train: bool) -> Images:
    """A torchvision set by the name of its class, downloaded to `$OWNMARK_DATA` or ~/.cache/ownmark if it is not there."""
    import os

    from torchvision import datasets

    if name not in datasets.__all__:
        raise DataError(f"torchvision.datasets has no {name!r}; try MNIST, FashionMNIST, CIFAR10 or CIFAR100")
    root = os.environ.get("OWNMARK_DATA", str(Path.home() / ".cache" / "ownmark"))
    try:
        found = getattr(datasets, name)(root, train=train, download=True)
        labels, names = np.asarray(found.targets, dtype=np.int64), tuple(map(str, found.classes))
    except (TypeError, AttributeError) as error:
        raise DataError(f"torchvision's {name} is no set of classes with a train and a test part: {error}") from error
    except Exception as error:  # no network, a full disk, a changed file: each raises its own
        raise DataError(f"torchvision's {name} is neither in {root} nor can it be downloaded: {error}") from error
    pixels = [_fitted(image.convert("L" if channels == 1 else "RGB"), size, channels) for image, _ in found]
    return Images(np.stack(pixels), labels, names)


def _medmnist(path: Path, size: int | None, channels: int, *, train: bool) -> Images:
    """MedMNIST's layout: `train_images` (n, h, w[, 3]) uint8 and `train_labels` (n, 1), the same for `test_`."""
    split = SPLITS[0 if train else 1]
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            highest = max(int(arrays[name].max()) for name in arrays if name.endswith("_labels"))
    except Exception as error:  # a damaged zip makes numpy raise anything
        raise DataError(f"{path} is not in MedMNIST's layout ({split}_images, {split}_labels): {error}") from error
    shapes = f"{images.dtype} {images.shape} and {labels.dtype} {labels.shape}"
    if images.dtype != np.uint8 or images.ndim not in {3, 4} or labels.shape not in {images.shape[:1], (len(images), 1)}:
        raise DataError(f"{path} needs images uint8 (n, h, w[, 3]) and labels (n, 1), one a picture, got {shapes}")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(f"{path} needs labels that are whole numbers from 0, got {shapes}")
    mode = "L" if channels == 1 else "RGB"
    pixels = [_fitted(Image.fromarray(image).convert(mode), size, channels) for image in images]
    return Images(np.stack(pixels), labels.reshape(-1).astype(np.int64), tuple(map(str, range(highest + 1))))


@contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    """The content of a zip file in a folder that is gone afterwards; errors name the zip file in its place."""
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
                raise DataError(f"{path} holds a path that leads outside: {outside}")
            archive.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} cannot be unpacked: {error}") from error
