"""Images with labels, the places that they are loaded from, and their split into those to work with and those to evaluate on.

A place is `digits`, a torchvision data set (`torchvision:MNIST`), a folder with one folder per class, a folder with
`metadata.csv`, a zip of either, or a MedMNIST `.npz` file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from ownmark.claims.fitting import Fitting
from ownmark.data.annotations import Annotated, annotated, squeezed
from ownmark.data.folders import MODES, SPLITS, TABLE, Row, fitted, found, in_order, read_pictures, unlabelled, unzipped
from ownmark.errors import DataError, UsageError
from ownmark.tasks import Classification, Task


@dataclass(frozen=True)
class Images:
    """Images with their labels, of one task.

    `pixels`: (n, height, width, channels) uint8; `labels`: (n, ...), of the `task`; `names`: one per class. For regression the
    labels are float64 and the single name is the quantity's; for similarity the classes are people; for detection they are
    boxes (n, m, 6).
    `people`: (n,) the person in each image, if known; `shares` keeps a person's images in one part.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[Any]
    names: tuple[str, ...]
    task: Task = Classification()
    people: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.pixels.dtype != np.uint8 or self.pixels.ndim != 4:  # noqa: PLR2004 - n, height, width, channels
            got = f"{self.pixels.dtype} {self.pixels.shape}"
            raise DataError(f"images must be uint8 (n, height, width, channels), got {got}")
        for each in (self.labels, self.people):
            if each is not None and (each.ndim < 1 or len(each) != len(self.pixels)):
                raise DataError(f"expected as many labels as images, {len(self.pixels)}, got {each.dtype} {each.shape}")
        self.task.check_labels(self.labels, self.names)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        """One line for a notebook."""
        height, width, channels = self.size
        labels = f"{len(self.names)} classes" if self.task.discrete else f"{self.task!r}"
        return f"<Images {len(self)} of {height}x{width}x{channels}: {labels}>"

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        height, width, channels = self.pixels.shape[1:]
        return height, width, channels

    def take(self, rows: npt.ArrayLike) -> "Images":
        """The images at `rows` (indices or a mask), in that order."""
        chosen = np.asarray(rows)
        chosen = chosen if chosen.size else chosen.astype(np.int64)
        people = None if self.people is None else self.people[chosen]
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen], people=people)

    def partners(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """For each row, the next row that shows the same person, cyclically; for other tasks the row itself."""
        if not self.task.compares:
            return rows
        order = np.argsort(self.labels, kind="stable")
        sizes = np.bincount(self.labels)
        after = np.arange(1, len(order) + 1)
        ends = np.cumsum(sizes)[sizes > 0]
        after[ends - 1] = ends - sizes[sizes > 0]
        following = np.empty_like(order)
        following[order] = order[after]
        return np.asarray(following[rows])

    def batch(self, rows: Tensor, device: torch.device) -> Tensor:
        """The images at `rows` as float (n, channels, height, width) in [0, 1] on `device`."""
        return to_unit(self.pixels[rows.numpy()], device)


def to_unit(pixels: npt.NDArray[np.uint8], device: torch.device) -> Tensor:
    """8-bit pixels (n, height, width, channels) -> float (n, channels, height, width) in [0, 1], in the plain layout."""
    here = torch.from_numpy(pixels)
    return unit(here.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else here.to(device))


def unit(pixels: Tensor) -> Tensor:
    """The same for pixels that are on their device already."""
    return to_plain(pixels.permute(0, 3, 1, 2)).div(255)


def to_plain(images: Tensor) -> Tensor:
    """The images (n, channels, height, width) in the plain layout, with its strides.

    To torch, grayscale images whose channels come last are contiguous as they are, but convolutions still go by their strides
    and compute in channels-last layout. Numbers that were flat get the strides of the plain layout.
    """
    return images.flatten().view(images.shape)


def to_pixels(images: Tensor) -> npt.NDArray[np.uint8]:
    """Float (n, channels, height, width) in [0, 1] -> 8-bit pixels (n, height, width, channels), rounded to nearest."""
    rounded = (images.detach() * 255).round_().clamp_(0, 255).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).cpu().numpy())


def shares(images: Images, parts: tuple[float, ...], rng: torch.Generator) -> list[Images]:
    """Disjoint random parts of `images` with the given shares, which sum to at most 1.

    If people are known, the shares are shares of people, and no person is in two parts.
    """
    if not parts or not sum(parts) <= 1 + 1e-9 or min(parts) <= 0:
        raise DataError(f"parts must be positive and sum to at most 1, got {parts}")
    groups = images.labels if images.task.compares else images.people
    of = np.arange(len(images)) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = torch.randperm(int(of.max(initial=-1)) + 1, generator=rng).numpy()
    ends = np.round(np.cumsum(parts) * len(order)).astype(int)
    chosen = [order[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    return [images.take(np.flatnonzero(np.isin(of, part))) for part in chosen]


def load(
    place: str, *, size: int | Fitting | None = None, train: bool = True, channels: int = 3, task: Task = Classification()
) -> Images:
    """Images from the named place, scaled so that the shorter side is `size`, then centre-cropped; or as a `Fitting` says it.

    Without `size` all images must have the same size. `train` picks the split if the place has splits. `channels` is 3
    (colour) or 1 (grey); the digits are always grey. Raises DataError that names the file at fault.

    Only folders and zips support every `task`: for regression the column `value` or `age` of `metadata.csv` is the label,
    and a column `person` names the person; for similarity each class folder, or each `person`, is a person. For detection the
    folder holds boxes (`data.annotations`), and whole images are squeezed to squares.
    """
    if channels not in {1, 3} or (isinstance(size, int) and size < 1):
        raise DataError(f"expected 1 or 3 channels and a size of at least 1, got channels={channels}, size={size}")
    if not task.discrete and (place == "digits" or place.startswith("torchvision:") or place.endswith(".npz")):
        raise DataError(f"{place} holds classes; for {task.name} name a folder of images")
    if place == "digits":
        if Path(place).exists():
            raise DataError("digits names both scikit-learn's digits and what lies here: write ./digits, or run this elsewhere")
        return digits(train=train, size=size.size[0] if isinstance(size, Fitting) else size or 28)
    if place.startswith("torchvision:"):
        return _torchvision(place.removeprefix("torchvision:"), size, channels, train=train)
    path = Path(place)
    if path.is_dir():
        return _folder(path, size, channels, task, train=train)
    if not path.exists():
        raise DataError(f"no such folder or file: {path}; name a folder of images, a zip of one, an .npz file, or 'digits'")
    if path.suffix.lower() == ".npz":
        return _medmnist(path, size, channels, train=train)
    if path.suffix.lower() != ".zip":
        raise DataError(f"{path} is a single file: name a folder of images, a zip of one, or an .npz file in MedMNIST's layout")
    with unzipped(path) as folder:
        return _folder(folder, size, channels, task, train=train)


def digits(*, train: bool = True, size: int = 28) -> Images:
    """The 1,797 handwritten 8x8 digits of scikit-learn, grey, enlarged to `size`; every fifth belongs to the test split."""
    grey, labels = _digits()
    tests = np.arange(len(grey)) % 5 == 0
    chosen = ~tests if train else tests
    large = [np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC)) for image in grey[chosen]]
    return Images(np.stack(large)[..., None], labels[chosen], tuple("0123456789"))


@cache
def _digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """(n, 8, 8) and (n,), read once."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.round(bunch.images * (255 / 16)).astype(np.uint8), bunch.target.astype(np.int64)


def _folder(folder: Path, size: int | Fitting | None, channels: int, task: Task, *, train: bool) -> Images:
    """A folder of class folders or of images with metadata.csv, optionally in splits, which share their classes."""
    if task.located:
        return _boxed(annotated(folder, train=train), size, channels, task)
    places = found(folder, task.columns)
    wanted = SPLITS[0 if train else 1]
    if "" not in places and wanted not in places:
        raise DataError(f"{folder} has no split {wanted!r}, only {min(places)!r}")
    chosen = places[wanted] if wanted in places else places[""]
    rows = chosen.rows
    if not rows:
        where = f"{folder}, split {wanted}" if wanted in places else folder
        raise DataError(
            f"{unlabelled(folder) or f'no image in {where}'}: expected one folder of images per class, or images and {TABLE}"
        )
    pixels = _stacked([row.file for row in rows], size, channels)
    if not task.named_labels:
        return Images(pixels, _numbers(rows), (chosen.column or "value",), task, _people(rows))
    names = in_order(name for place in places.values() for name in place.names)
    label = {name: place for place, name in enumerate(names)}
    return Images(pixels, np.array([label[row.label] for row in rows], dtype=np.int64), tuple(names), task)


def _boxed(found: Annotated, size: int | Fitting | None, channels: int, task: Task) -> Images:
    """Images with boxes, whole and squeezed to a square, since a crop would cut boxes off."""
    if isinstance(size, Fitting):
        raise DataError(f"the model's makers crop images, which would cut boxes off: give --size for {task.name}")
    if not found.files:
        raise DataError("the annotations name no image")
    return Images(
        _alike(found.files, [squeezed(file, size, channels) for file in found.files]), found.labels(), found.names, task
    )


def _numbers(rows: list[Row]) -> npt.NDArray[np.float64]:
    """The labels as numbers."""
    try:
        return np.array([float(row.label) for row in rows])
    except ValueError as error:
        wrong = next(row for row in rows if not _is_number(row.label))
        raise DataError(f"regression: expected a number per image, but {wrong.file} has {wrong.label!r}") from error


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _people(rows: list[Row]) -> npt.NDArray[np.int64] | None:
    """(n,) the person in each image, if known for all."""
    if not all(row.person for row in rows):
        return None
    return np.unique([row.person for row in rows], return_inverse=True)[1].astype(np.int64)


def _stacked(files: list[Path], size: int | Fitting | None, channels: int) -> npt.NDArray[np.uint8]:
    return _alike(files, read_pictures(files, _square(size), channels))


def _alike(files: Sequence[Path], pixels: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """All images in one array."""
    odd = next((file for file, one in zip(files, pixels, strict=True) if one.shape != pixels[0].shape), None)
    if odd is not None:
        raise DataError(f"{odd} and {files[0]} differ in size; resize all images with --size")
    return np.stack(pixels)


def _square(size: int | Fitting | None) -> tuple[int, int] | Fitting | None:
    return (size, size) if isinstance(size, int) else size


def _torchvision(name: str, size: int | Fitting | None, channels: int, *, train: bool) -> Images:
    """A torchvision data set by class name, downloaded to `$OWNMARK_DATA` or ~/.cache/ownmark if missing."""
    import os

    from torchvision import datasets

    if name not in datasets.__all__:
        raise DataError(f"torchvision.datasets has no {name!r}; try MNIST, FashionMNIST, CIFAR10 or CIFAR100")
    root = os.environ.get("OWNMARK_DATA", str(Path.home() / ".cache" / "ownmark"))
    try:
        whole = getattr(datasets, name)(root, train=train, download=True)
        labels, names = np.asarray(whole.targets, dtype=np.int64), tuple(map(str, whole.classes))
    except (TypeError, AttributeError) as error:
        raise DataError(f"torchvision's {name} is not a classification set with a train and a test split: {error}") from error
    except Exception as error:  # no network, a full disk, a changed file: each raises a different type
        raise DataError(f"torchvision's {name} is not in {root} and cannot be downloaded: {error}") from error
    pixels = [fitted(image.convert(MODES[channels]), _square(size), channels) for image, _ in whole]
    return Images(np.stack(pixels), labels, names)


def _medmnist(path: Path, size: int | Fitting | None, channels: int, *, train: bool) -> Images:
    """MedMNIST's layout: `train_images` (n, h, w[, 3]) uint8 and `train_labels` (n, 1), likewise `test_`."""
    split = SPLITS[0 if train else 1]
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
            highest = max(int(arrays[name].max()) for name in arrays if name.endswith("_labels"))
    except Exception as error:  # numpy raises arbitrary errors on a corrupt zip
        raise DataError(f"{path} is not in MedMNIST's layout ({split}_images, {split}_labels): {error}") from error
    shapes = f"{images.dtype} {images.shape} and {labels.dtype} {labels.shape}"
    if images.dtype != np.uint8 or images.ndim not in {3, 4} or labels.shape not in {images.shape[:1], (len(images), 1)}:
        raise DataError(f"{path}: expected images uint8 (n, h, w[, 3]) and labels (n, 1), one per image, got {shapes}")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(f"{path}: expected integer labels from 0, got {shapes}")
    pixels = [fitted(Image.fromarray(image).convert(MODES[channels]), _square(size), channels) for image in images]
    return Images(np.stack(pixels), labels.reshape(-1).astype(np.int64), tuple(map(str, range(highest + 1))))


CHANNELS = (1, 3)
HELD_OUT = 0.2  # share of the images, if the place has no test split


@dataclass(frozen=True)
class Split:
    """`mine` for training and claims, `held_out` for evaluation only; `origin` describes the held-out images to people."""

    fitting: ClassVar[None] = None  # images in memory have their size
    mine: Images
    held_out: Images
    origin: str

    @property
    def task(self) -> Task:
        """What a model does with the images."""
        return self.mine.task

    @classmethod
    def whole(cls, images: Images) -> "Split":
        """All images, to work with and to measure on."""
        return cls(images, images, "all that are given")

    @classmethod
    def of(cls, place: str, size: int | Fitting | None, channels: int, task: Task = Classification()) -> "Split":
        """The images of a place and its own test split or, without one, a held-out fifth."""
        mine = load(place, size=size, channels=channels, task=task)
        other = load(place, size=size, channels=channels, train=False, task=task)
        if other.names == mine.names and not np.array_equal(other.pixels, mine.pixels):
            return cls(mine, other, "the test split")
        held, kept = shares(mine, (HELD_OUT, 1 - HELD_OUT), torch.Generator().manual_seed(0))
        return cls(kept, held, "a fifth of the images, held out")


@dataclass(frozen=True)
class Place:
    """Where images lie and how they are read: `name`, `size` (pixels, or a `Fitting`) and `channels` as `load` takes them.

    A `Split` made of images in memory serves wherever a place does.
    """

    name: str
    size: int | Fitting | None = None
    channels: int = 3
    task: Task = Classification()

    @property
    def fitting(self) -> Fitting | None:
        """How a network's makers bring pictures to its size, if they say it."""
        return self.size if isinstance(self.size, Fitting) else None

    def check(self) -> None:
        """Raises UsageError for a number of channels that no image has."""
        if self.channels not in CHANNELS:
            raise UsageError(f"channels: expected 3 for colour or 1 for grey, got {self.channels}")

    def split(self) -> Split:
        """The images, with others to measure on."""
        return Split.of(self.name, self.size, self.channels, self.task)

    def whole(self) -> Split:
        """All images, to work with and to measure on."""
        return Split.whole(load(self.name, size=self.size, channels=self.channels, task=self.task))
