"""A judge's ordinary images: a folder laid out and read like an owner's (`folders`), or images alone. No torch."""

from pathlib import Path

import numpy as np

from ownmark.claims.claim import Claim
from ownmark.data.folders import MODES, Row, found, loose, read_picture, unzipped
from ownmark.errors import DataError
from ownmark.querying.transcript import Decoys, most_decoys


def decoys_in(place: Path, claim: Claim) -> Decoys:
    """Images of a folder or a zip file at the claim's size, cycling through the classes; only classes that the claim knows count.

    If the folder has splits, images of both are used. Raises DataError.
    """
    if claim.images.shape[-1] not in MODES:
        channels = claim.images.shape[-1]
        raise DataError(f"the claim's images have {channels} channels, but image files have 1 or 3: judge without decoys")
    if place.suffix.lower() == ".zip" and place.is_file():
        with unzipped(place) as folder:
            return _decoys(folder, claim)
    return _decoys(place, claim)


def _decoys(folder: Path, claim: Claim) -> Decoys:
    rows = _rows(folder, claim.task.columns) if folder.is_dir() else []
    if not rows:
        raise DataError(f"{folder} contains no images: decoys are ordinary images of the task, one folder per class")
    groups: dict[str, list[Path]] = {}
    for row in rows:
        groups.setdefault(row.label, []).append(row.file)
    turns = sorted((turn, name, file) for name, group in groups.items() for turn, file in enumerate(group))
    chosen = turns[: most_decoys(claim)]
    height, width, channels = claim.images.shape[2:]
    fitting = claim.fitting if claim.fitting is not None and claim.fitting.size == (height, width) else (height, width)
    pixels = np.stack([read_picture(file, fitting, channels) for _, _, file in chosen])
    numbers = {name: number for number, name in enumerate(claim.classes)}
    return Decoys(pixels, np.array([numbers.get(name, -1) for _, name, _ in chosen], dtype=np.int64))


def _rows(folder: Path, columns: tuple[str, ...]) -> list[Row]:
    """The files with their classes; if there are no class folders, the images in the folder itself."""
    rows = [row for listed in found(folder, columns).values() for row in listed.rows]
    return rows or loose(folder).rows
