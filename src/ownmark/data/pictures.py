"""Reads one image file into pixels, for owners and judges alike. No torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ownmark.errors import DataError

MODES = {1: "L", 3: "RGB"}
Size = tuple[int, int]  # height, width


def read_picture(file: Path, size: Size | None, channels: int) -> npt.NDArray[np.uint8]:
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


def fitted(image: Image.Image, size: Size | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels), scaled to cover the size, then centre-cropped."""
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)
