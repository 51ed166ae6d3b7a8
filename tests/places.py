"""Folders, tables and zip files of small random images."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

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


def medmnist(path: Path, **changes: Any) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 6), ("val", 2), ("test", 3)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 7, 7), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(count) % (4 if split == "train" else 2))[:, None].astype(np.uint8)
    np.savez(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return path
