"""Feature squeezing: flags images whose prediction changes when they are coarsened (Xu et al. 2018, arXiv:1704.01155).

The score is the largest L1 distance, in [0, 2], between the probabilities of an image and of its squeezed versions. The defaults
are the paper's for photographs: 5 bits, a median of 2x2, and non-local means of search window 11, patch 3 and strength 4.
"""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import median_filter
from torch import nn

from ownmark.data.images import Images, to_plain
from ownmark.errors import UsageError
from ownmark.models.prepared import copied
from ownmark.protocols import Alarm, Progress, silent
from ownmark.scoring.readings import Floats

BATCH = 64
DEEPEST = 8  # bits per channel
GREY = 1  # channels


class Squeezer(Protocol):
    """A squeezer: a frozen dataclass with one method; it treats each image separately."""

    def squeeze(self, images: Floats) -> Floats:
        """Images (n, height, width, channels) in [0, 1] -> coarser images of the same form."""


@dataclass(frozen=True)
class ColourDepth:
    """Reduces each value to `bits` bits."""

    bits: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= DEEPEST:
            raise UsageError(f"ColourDepth: expected 1 to {DEEPEST} bits, got {self.bits}")

    def squeeze(self, images: Floats) -> Floats:
        steps = 2**self.bits - 1
        return np.asarray(np.rint(images * steps) / steps)


@dataclass(frozen=True)
class Median:
    """The median over `window` x `window` pixels (the upper median for even counts), with reflected borders."""

    window: int = 2

    def __post_init__(self) -> None:
        if self.window < 1:
            raise UsageError(f"Median: expected a window of at least 1 pixel, got {self.window}")

    def squeeze(self, images: Floats) -> Floats:
        return np.asarray(median_filter(images, size=(1, self.window, self.window, 1), mode="reflect"))


@dataclass(frozen=True)
class NonLocalMeans:
    """OpenCV's non-local means: averages similar patches of `patch` pixels within `search` pixels."""

    search: int = 11
    patch: int = 3
    strength: float = 4.0

    def __post_init__(self) -> None:
        if self.search < self.patch or self.patch < 1 or not self.search % 2 or not self.patch % 2 or not self.strength > 0:
            raise UsageError(f"NonLocalMeans: expected odd windows, search >= patch, and a positive strength, got {self}")

    def squeeze(self, images: Floats) -> Floats:
        pixels = np.clip(np.rint(images * 255), 0, 255).astype(np.uint8)
        return np.stack([self._smoothed(image) for image in pixels]).reshape(images.shape).astype(images.dtype) / 255

    def _smoothed(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.generic]:
        import cv2

        if image.shape[2] == GREY:
            return cv2.fastNlMeansDenoising(image, None, self.strength, self.patch, self.search)
        turned = np.ascontiguousarray(image[..., ::-1])  # OpenCV expects BGR
        return cv2.fastNlMeansDenoisingColored(turned, None, self.strength, self.strength, self.patch, self.search)[..., ::-1]


@dataclass(frozen=True)
class FeatureSqueezing:
    """Flags images on which the model's output changes after squeezing; nothing is trained."""

    squeezers: tuple[Squeezer, ...] = (ColourDepth(), Median(), NonLocalMeans())

    def __post_init__(self) -> None:
        if not self.squeezers:
            raise UsageError("FeatureSqueezing: expected at least one squeezer, got none")

    def fit(self, model: nn.Module, normal: Images, rng: torch.Generator, progress: Progress = silent) -> Alarm:  # noqa: ARG002 - the verb's signature
        """An alarm for `model`, which takes images in [0, 1] and outputs logits."""
        score = partial(_distances, copied(model).eval(), self.squeezers)
        return Alarm(score, score(normal.pixels, progress))


def _distances(
    model: nn.Module, squeezers: tuple[Squeezer, ...], pixels: npt.NDArray[np.uint8], progress: Progress = silent
) -> Floats:
    """(n,) the largest distance over all squeezers."""
    found = np.zeros(len(pixels))
    for at in range(0, len(pixels), BATCH):
        images = pixels[at : at + BATCH].astype(np.float32) / 255
        plain = _shares(model, images)
        apart = [np.abs(plain - _shares(model, squeezer.squeeze(images))).sum(axis=1) for squeezer in squeezers]
        found[at : at + BATCH] = np.max(apart, axis=0)
        progress(min(at + BATCH, len(pixels)), len(pixels))
    return found


@torch.no_grad()
def _shares(model: nn.Module, images: Floats) -> Floats:
    """Probabilities (n, classes) of images (n, height, width, channels) in [0, 1]."""
    device = next((weight.device for weight in model.parameters()), torch.device("cpu"))
    batch = to_plain(torch.from_numpy(images).permute(0, 3, 1, 2)).to(device)
    return np.asarray(model(batch).double().softmax(dim=1).cpu().numpy())
