"""One picture file as pixels: whoever reads images, an owner or a judge, reads them here. No torch."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from ownmark.errors import DataError

MODES = {1: "L", 3: "RGB"}
Size = tuple[int, int]  # height, width


def read_picture(file: Path, size: Size | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels) of a file of at most 8 bits a pixel, turned as its camera says, then `fitted`.

    Raises DataError that names the file.
    """
    try:
        with Image.open(file) as opened:
            deep = opened.mode[0] in "IF"  # 16 or 32 bits a pixel, which convert would cut off
            image = ImageOps.exif_transpose(opened).convert(MODES[channels])
    except Exception as error:  # a damaged image makes its reader raise anything
        raise DataError(f"{file} cannot be read as an image: {error}; remove or repair it") from error
    if deep:
        raise DataError(f"{file} has more than 8 bits a pixel: bring it to 8 bits first, so that nothing is cut off")
    return fitted(image, size, channels)


def fitted(image: Image.Image, size: Size | None, channels: int) -> npt.NDArray[np.uint8]:
    """Pixels (height, width, channels), scaled until the size is filled, then cropped to its centre."""
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, channels)
