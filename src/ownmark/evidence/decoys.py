"""A judge's ordinary images, from a folder with one folder a class, or with images alone. No torch."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ownmark.claim import Claim
from ownmark.errors import DataError
from ownmark.evidence.transcript import Decoys
from ownmark.keys import Pixels

PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
MODES = {1: "L", 3: "RGB"}


def decoys_in(folder: Path, claim: Claim) -> Decoys:
    """Images brought to the claim's size, in turn from each class; a folder counts as a class if the claim knows its name.

    Raises DataError.
    """
    places = {name: number for number, name in enumerate(claim.classes)}
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in PICTURES) if folder.is_dir() else []
    if not files:
        raise DataError(f"{folder} holds no images ({', '.join(sorted(PICTURES))}): decoys are ordinary images of the task")
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(file.parent.name, []).append(file)
    turns = sorted((turn, name, file) for name, group in groups.items() for turn, file in enumerate(group))
    most = claim.images.shape[0] * claim.images.shape[1]
    chosen = turns[:most]
    pixels = np.stack([_read(file, claim) for _, _, file in chosen])
    return Decoys(pixels, np.array([places.get(name, -1) for _, name, _ in chosen], dtype=np.int64))


def _read(file: Path, claim: Claim) -> Pixels:
    height, width, channels = claim.images.shape[2:]
    if channels not in MODES:
        raise DataError(f"the claim's images have {channels} channels, and pictures have 1 or 3: judge without decoys")
    try:
        with Image.open(file) as picture:
            fitted = picture.convert(MODES[channels]).resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(f"{file} cannot be read as an image: {error}") from error
    return np.asarray(fitted, dtype=np.uint8).reshape(height, width, channels)
