"""Pixels and maps as PNG data URLs: all of the report's images are embedded in the page."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]

LARGEST = 256  # pixels; larger images are reduced
HEAT_SIDE = 64  # the longer side of a heat picture, in pixels
GAIN = 10  # amplification of the difference
RAMP = np.array(  # from 0 to the highest value: red, green, blue, opacity in [0, 255]
    [[40, 20, 110, 0], [90, 30, 150, 105], [190, 50, 120, 170], [245, 125, 45, 205], [255, 225, 110, 235]], dtype=np.float64
)


def picture(pixels: Pixels) -> str:
    """An image (height, width, channels) as a data URL; channel counts other than 1 or 3 are averaged to grey."""
    grey = pixels.shape[2] != 3  # noqa: PLR2004 - red, green, blue
    shown = np.round(pixels.mean(axis=2)).astype(np.uint8) if grey else np.ascontiguousarray(pixels)
    image = Image.fromarray(shown)
    image.thumbnail((LARGEST, LARGEST))
    return _address(image)


def difference(pixels: Pixels, original: Pixels) -> str:
    """What was added to `original`, amplified tenfold around middle grey."""
    change = pixels.astype(np.int32) - original.astype(np.int32)
    return picture(np.clip(128 + GAIN * change, 0, 255).astype(np.uint8))


def heat(values: Floats, highest: float, shape: tuple[int, int]) -> str:
    """A map (h, w) >= 0 as a picture in the proportions of `shape`, transparent where it is 0, to overlay on the image."""
    relative = Image.fromarray(np.clip(finite(values) / max(highest, 1e-12), 0, 1).astype(np.float32))
    height, width = (max(1, round(HEAT_SIDE * side / max(shape))) for side in shape)
    smooth = np.clip(np.asarray(relative.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)
    steps = np.linspace(0, 1, len(RAMP))
    colours = np.stack([np.interp(smooth, steps, RAMP[:, channel]) for channel in range(RAMP.shape[1])], axis=-1)
    return _address(Image.fromarray(np.round(colours).astype(np.uint8)))


def finite(values: Floats) -> Floats:
    """The same with 0 in place of NaN or infinity, which an untrusted claim may contain."""
    return np.asarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))


def _address(image: Image.Image) -> str:
    stream = BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
