"""Images and labels as everyone here holds them, and the places they come from.

A place is named by what a user has: `digits`, a torchvision set (`torchvision:MNIST`), a folder of class folders, a folder
with `metadata.csv`, a zip of either, or a MedMNIST `.npz` file.
"""

import csv
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ownmark.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
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
        if len(self.pixels) != len(self.labels):
            raise DataError(f"{len(self.pixels)} images but {len(self.labels)} labels")
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.names):
            raise DataError(f"labels must lie in [0, {len(self.names)}), got up to {self.labels.max()}")

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
    return torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float().div_(255)


def to_pixels(images: Tensor) -> npt.NDArray[np.uint8]:
    """Float (n, channels, height, width) in [0, 1] -> 8-bit pixels (n, height, width, channels), rounded to nearest."""
    rounded = (images.detach() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())


def shares(images: Images, parts: tuple[float, ...], rng: torch.Generator) -> list[Images]:
    """Disjoint random parts of `images`, each with the given share of them (the shares sum to at most 1)."""
    if sum(parts) > 1 + 1e-9 or min(parts) <= 0:
        raise DataError(f"parts must be positive and sum to at most 1, got {parts}")
    order = torch.randperm(len(images), generator=rng).numpy()
    ends = np.round(np.cumsum(parts) * len(images)).astype(int)
    return [images.take(np.sort(order[start:end])) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def load(place: str, *, size: int | None = None, train: bool = True, channels: int = 3) -> Images:
    """Images from the named place, scaled so that the shorter side is `size`, then cropped to its centre.

    Without `size` all images must have one size already. `train` picks the split where the place has splits.
    Raises DataError with the name of the file at fault.
    """
    if place == "digits":
        return digits(train=train)
    if place.startswith("torchvision:"):
        return _torchvision(place.removeprefix("torchvision:"), size, channels, train=train)
    path = Path(place)
    if not path.exists():
        raise DataError(f"no such folder or file: {path}; give a folder of images, a zip of one, an .npz, or 'digits'")
    if path.suffix == ".npz":
        return _medmnist(path, size, channels, train=train)
    if path.suffix == ".zip":
        with _unzipped(path) as folder:
            return _folder(folder, size, channels, train=train)
    return _folder(path, size, channels, train=train)


def digits(*, train: bool = True) -> Images:
    """The 1,797 handwritten 8x8 digits that come with scikit-learn, enlarged to 28x28, grey; every fifth is for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    grey = np.round(bunch.images * (255 / 16)).astype(np.uint8)
    tests = np.arange(len(grey)) % 5 == 0
    chosen = ~tests if train else tests
    large = [np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BICUBIC)) for image in grey[chosen]]
    return Images(np.stack(large)[..., None], bunch.target[chosen].astype(np.int64), tuple("0123456789"))


def _folder(folder: Path, size: int | None, channels: int, *, train: bool) -> Images:
    """A folder of class folders or of images + metadata.csv, perhaps below `train` and `test`."""
    while not (folder / "metadata.csv").exists() and len(inside := _folders(folder)) == 1 and not _pictures(folder):
        folder = inside[0]
    split = folder / ("train" if train else "test")
    folder = split if split.is_dir() else folder
    table = folder / "metadata.csv"
    files, labels, names = _from_table(table) if table.exists() else _from_class_folders(folder)
    if not files:
        raise DataError(f"no image in {folder}: needs one folder a class, or images and metadata.csv")
    pixels = [_read(file, size, channels) for file in files]
    odd = next((file for file, one in zip(files, pixels, strict=True) if one.shape != pixels[0].shape), None)
    if odd is not None:
        raise DataError(f"{odd} has another size than {files[0]}; say which size to bring all images to (--size)")
    return Images(np.stack(pixels), np.asarray(labels, dtype=np.int64), names)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _from_class_folders(folder: Path) -> tuple[list[Path], list[int], tuple[str, ...]]:
    classes = _folders(folder)
    pairs = [(file, label) for label, path in enumerate(classes) for file in _files(path)]
    return [file for file, _ in pairs], [label for _, label in pairs], tuple(path.name for path in classes)


def _files(folder: Path) -> list[Path]:
    """Every file that is not hidden: one that is not an image must be reported when it is read, not passed over."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _from_table(table: Path) -> tuple[list[Path], list[int], tuple[str, ...]]:
    with table.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    columns = list(rows[0]) if rows else []
    column = next((name for name in ("label", "class", "age") if name in columns), None)
    if "file_name" not in columns or column is None:
        raise DataError(f"{table} needs the columns file_name and label (or class, age), got {columns}")
    names = tuple(sorted({row[column] for row in rows}, key=lambda name: (len(name), name)))
    place = {name: label for label, name in enumerate(names)}
    return [table.parent / row["file_name"] for row in rows], [place[row[column]] for row in rows], names


def _read(file: Path, size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("L" if channels == 1 else "RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{file} cannot be read as an image: {error}; remove or repair it") from error
    return _fitted(image, size, channels)


def _fitted(image: Image.Image, size: int | None, channels: int) -> npt.NDArray[np.uint8]:
    if size is not None:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)


def _torchvision(name: str, size: int | None, channels: int, *, train: bool) -> Images:
    """A torchvision set by the name of its class, downloaded to `$OWNMARK_DATA` or ~/.cache/ownmark if it is not there."""
    import os

    from torchvision import datasets

    if not hasattr(datasets, name):
        raise DataError(f"torchvision.datasets has no {name!r}; try MNIST, FashionMNIST, CIFAR10 or CIFAR100")
    root = os.environ.get("OWNMARK_DATA", str(Path.home() / ".cache" / "ownmark"))
    found = getattr(datasets, name)(root, train=train, download=True)
    pixels = [_fitted(image.convert("L" if channels == 1 else "RGB"), size, channels) for image, _ in found]
    return Images(np.stack(pixels), np.asarray(found.targets, dtype=np.int64), tuple(map(str, found.classes)))


def _medmnist(path: Path, size: int | None, channels: int, *, train: bool) -> Images:
    """MedMNIST's layout: `train_images` (n, h, w[, 3]) uint8 and `train_labels` (n, 1), the same for `test_`."""
    split = "train" if train else "test"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"].reshape(-1).astype(np.int64)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not in MedMNIST's layout ({split}_images, {split}_labels): {error}") from error
    mode = "L" if channels == 1 else "RGB"
    pixels = [_fitted(Image.fromarray(image).convert(mode), size, channels) for image in images]
    return Images(np.stack(pixels), labels, tuple(str(label) for label in range(int(labels.max()) + 1)))


@contextmanager
def _unzipped(path: Path) -> Iterator[Path]:
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise DataError(f"{path} unpacks to more than {MOST_BYTES // 2**30} GiB; unpack it yourself")
            for name in archive.namelist():
                if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                    raise DataError(f"{path} holds a path that leads outside: {name}")
            archive.extractall(folder)
            yield Path(folder)
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is not a zip file: {error}") from error
