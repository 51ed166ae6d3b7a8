"""A suspect that takes images of another size than the claim's: they are resized first, which is part of its name. No torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ownmark.protocols import Question, Suspect
from ownmark.scoring.readings import Answers, Reading


@dataclass(frozen=True)
class Resized:
    """`suspect`, shown every image in `size` (height, width), by bilinear interpolation."""

    suspect: Suspect
    size: tuple[int, int]

    @property
    def name(self) -> str:
        return f"{self.suspect.name}, with images resized to {self.size[0]}x{self.size[1]}"

    @property
    def digest(self) -> str:
        return self.suspect.digest

    @property
    def reveals(self) -> frozenset[Reading]:
        return self.suspect.reveals

    def read(self, images: npt.NDArray[Any], question: Question) -> Answers:
        """As the suspect answers to the resized images (n, height, width, channels)."""
        return self.suspect.read(np.stack([self._shown(image) for image in images]), question)

    def _shown(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        height, width = self.size
        planes = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in image.transpose(2, 0, 1)]
        return np.stack([np.asarray(plane) for plane in planes], axis=-1)
