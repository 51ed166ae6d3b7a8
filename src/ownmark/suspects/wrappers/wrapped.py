"""Suspects that wrap suspects: what a cautious thief puts in front of a model, and behind it. No torch.

They keep the digest of the wrapped suspect: a model behind a transform must not count as a second innocent.
"""

import io
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from ownmark.errors import UsageError
from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import Answers, Reading

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
LEAST = 1e-6  # the smallest probability under noise
BITS = 8  # per pixel


class Transform(Protocol):
    """A frozen dataclass of its parameters with one verb; each image is transformed independently."""

    def transform(self, images: Pixels) -> Pixels:
        """Images (n, height, width, channels) of the same shape."""


class Hardening(Protocol):
    """A frozen dataclass of its parameters with one verb; `leaves` are the readings that the hardened answers still support."""

    leaves: ClassVar[frozenset[Reading]]

    def harden(self, shares: Floats) -> Floats:
        """Probabilities (n, classes), made harder to learn from."""


@dataclass(frozen=True)
class Transformed:
    """A suspect that sees every image through `transforms`, one after another."""

    suspect: Suspect
    transforms: tuple[Transform, ...]

    @property
    def name(self) -> str:
        return f"{self.suspect.name} behind {', '.join(map(repr, self.transforms)) or 'nothing'}"

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.suspect.reveals

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """The answers of the suspect to the transformed images."""
        for transform in self.transforms:
            images = transform.transform(images)
        return self.suspect.read(images, question)


@dataclass(frozen=True)
class JPEG:
    """Compress as a JPEG file of this quality, and decode it again."""

    quality: int = 75

    def __post_init__(self) -> None:
        _check(1 <= self.quality <= 100, "JPEG needs a quality from 1 to 100", self)  # noqa: PLR2004 - the range of the format

    def transform(self, images: Pixels) -> Pixels:
        return np.stack([self._reopened(image) for image in images])

    def _reopened(self, image: Pixels) -> Pixels:
        file = io.BytesIO()
        _picture(image).save(file, "jpeg", quality=self.quality)
        return np.asarray(Image.open(file), dtype=np.uint8).reshape(image.shape)


@dataclass(frozen=True)
class Blur:
    """A Gaussian blur with a standard deviation of `sigma` pixels, with a reflected border."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        _check(0 <= self.sigma < np.inf, "Blur needs a sigma of 0 or more", self)

    def transform(self, images: Pixels) -> Pixels:
        from scipy.ndimage import gaussian_filter

        return _rounded(gaussian_filter(images.astype(np.float64), (0, self.sigma, self.sigma, 0)))


@dataclass(frozen=True)
class ResizePad:
    """Shrink to this `share` of height and width and pad with black (Xie et al. 2018, arXiv:1711.01991).

    Differs from the paper: the image is centred rather than placed at random, so that answers are repeatable.
    """

    share: float = 0.9

    def __post_init__(self) -> None:
        _check(0 < self.share <= 1, "ResizePad needs a share in (0, 1]", self)

    def transform(self, images: Pixels) -> Pixels:
        height, width = (max(round(self.share * side), 1) for side in images.shape[1:3])
        top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
        padded = np.zeros_like(images)
        for place, image in enumerate(images):
            small = _picture(image).resize((width, height), Image.Resampling.BILINEAR)
            padded[place, top : top + height, left : left + width] = np.asarray(small).reshape(height, width, -1)
        return padded


@dataclass(frozen=True)
class BitDepth:
    """Keep `bits` of each pixel's 8 bits, rounded (feature squeezing, Xu et al. 2018, arXiv:1704.01155)."""

    bits: int = 4

    def __post_init__(self) -> None:
        _check(1 <= self.bits <= BITS, f"BitDepth needs 1 to {BITS} bits", self)

    def transform(self, images: Pixels) -> Pixels:
        steps = (2**self.bits - 1) / (2**BITS - 1)
        return _rounded(np.round(images * steps) / steps)


@dataclass(frozen=True)
class Hardened:
    """A suspect whose probabilities are hardened before anybody sees them; its label is the most likely class afterwards."""

    suspect: Suspect
    hardening: Hardening

    def __post_init__(self) -> None:
        if Reading.PROBABILITY not in self.suspect.reveals:
            raise UsageError(f"{self.suspect.name} reveals no probabilities that could be hardened")

    @property
    def name(self) -> str:
        return f"{self.suspect.name} answering {self.hardening!r}"

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.hardening.leaves

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """LABEL (n,) and PROBABILITY (n, classes), whose rows are renormalised, as a client would do."""
        asked = Question(frozenset({Reading.PROBABILITY}), question.target, question.layer)
        shares = self.hardening.harden(np.asarray(self.suspect.read(images, asked)[Reading.PROBABILITY], dtype=np.float64))
        sums = shares.sum(axis=1, keepdims=True)
        even = np.full_like(shares, 1 / shares.shape[1])  # for a row of zeros
        found = {Reading.LABEL: shares.argmax(axis=1), Reading.PROBABILITY: np.divide(shares, sums, out=even, where=sums > 0)}
        return {reading: found[reading] for reading in question.readings}


@dataclass(frozen=True)
class Rounded:
    """Probabilities rounded to this many `decimals`; their rows need no longer sum to 1."""

    decimals: int = 2
    leaves: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL, Reading.PROBABILITY})

    def __post_init__(self) -> None:
        _check(self.decimals >= 1, "Rounded needs one decimal or more", self)

    def harden(self, shares: Floats) -> Floats:
        return np.asarray(shares.round(self.decimals))


@dataclass(frozen=True)
class TopOne:
    """The most likely label and nothing else."""

    leaves: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL})

    def harden(self, shares: Floats) -> Floats:
        return np.asarray(np.eye(shares.shape[1])[shares.argmax(axis=1)])


@dataclass(frozen=True)
class Noisy:
    """Normal noise of standard deviation `scale` on the probabilities; the same images get the same noise, drawn from `seed`."""

    scale: float = 0.05
    seed: int = 0
    leaves: ClassVar[frozenset[Reading]] = frozenset({Reading.LABEL, Reading.PROBABILITY})

    def __post_init__(self) -> None:
        _check(0 <= self.scale < np.inf and self.seed >= 0, "Noisy needs a scale and a seed of 0 or more", self)

    def harden(self, shares: Floats) -> Floats:
        return noisy(shares, self.scale, np.random.default_rng(self.seed))


def noisy(shares: Floats, scale: float, rng: np.random.Generator) -> Floats:
    """Probabilities (n, classes) with normal noise, none below LEAST, renormalised to sum to 1."""
    shaken = np.clip(shares + rng.normal(0, scale, shares.shape), LEAST, None)
    return np.asarray(shaken / shaken.sum(axis=1, keepdims=True))


def _check(fine: bool, needed: str, got: object) -> None:  # noqa: FBT001 - the condition itself
    if not fine:
        raise UsageError(f"{needed}, got {got}")


def _picture(image: Pixels) -> Image.Image:
    return Image.fromarray(image.squeeze(2) if image.shape[2] == 1 else image)


def _rounded(images: npt.NDArray[Any]) -> Pixels:
    return np.clip(np.round(images), 0, 2**BITS - 1).astype(np.uint8)
