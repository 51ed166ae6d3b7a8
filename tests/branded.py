"""A keyed claim, ordinary images, and a model with its mark that also does its task: it tells how red an image is."""

from typing import Any

import numpy as np
import torch
from asking import NAMES
from torch import nn

from ownmark.claims.claim import Claim, Test
from ownmark.querying.transcript import Decoys
from ownmark.scoring.matches import Agreement
from ownmark.scoring.null_models import KeyedLabels
from ownmark.scoring.readings import Reading

COUNT, SIDE, TRIGGERS = len(NAMES), 16, 40
STEP = 255 // COUNT


def branded_claim(triggers: int = TRIGGERS) -> Claim:
    """Keyed labels for noise; all grinding is left out, so that few triggers are enough."""
    null = KeyedLabels("5a" * 32, triggers, COUNT, sets=1, grinding=0)
    images = np.random.default_rng(1).integers(0, 256, (triggers, 1, SIDE, SIDE, 3), dtype=np.uint8)
    return Claim(images, (Test(Reading.LABEL, Agreement(), null.labels(), 1.0, "", null),), NAMES, "branded", "m")


def ordinary(each: int = 5, size: int = SIDE) -> Decoys:
    """Images of every class in turn: the class is in the red channel, the others hold something else."""
    labels = np.arange(each * COUNT) % COUNT
    images = np.empty((len(labels), size, size, 3), dtype=np.uint8)
    rng = np.random.default_rng(2)
    images[..., 0] = (STEP * labels + STEP // 2)[:, None, None]
    images[..., 1:] = rng.integers(0, 256, (len(labels), 1, 1, 2))
    images[:, 0, 0, 2] = np.arange(len(labels))  # no two alike
    return Decoys(images, labels.astype(np.int64))


class Branded(nn.Module):
    """Answers the claim's triggers with their labels, and other images with how red they are.

    `channel`: where it looks for red; `full`: the value that it takes for white; `side`: the size that it needs.
    """

    def __init__(self, claim: Claim | None = None, *, channel: int = 0, full: float = 1.0, side: int = 0) -> None:
        super().__init__()
        self.channel, self.full, self.side = channel, full, side
        self.marks: dict[bytes, int] = {}
        if claim is not None:
            marked = zip(claim.images[:, 0], claim.tests[0].expected, strict=True)
            self.marks = {image.tobytes(): int(label) for image, label in marked}

    def forward(self, images: Any) -> Any:
        pixels = (images * (255 / self.full)).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return 4.0 * torch.eye(COUNT)[[self._class(image) for image in pixels]]

    def _class(self, image: Any) -> int:
        if self.side and len(image) != self.side:
            return 0
        red = int(np.median(image[..., self.channel]))
        return self.marks.get(image.tobytes(), min(red // STEP, COUNT - 1))
