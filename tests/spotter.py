"""A tiny detector that is none of torchvision's, and images of squares that it learnt beforehand: `python tests/spotter.py`."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ownmark.claims.claim import Preprocess
from ownmark.data.images import Images
from ownmark.models.prepared import prepared
from ownmark.models.weights import load_weights, save_weights
from ownmark.tasks import Detection
from ownmark.training import Training, train

SIZE, CELL, SIDE = 32, 8, 10  # pixels: of an image, of a cell of the grid, of a square
NAMES = ("red", "green")
KNOW_NO_BOXES = {"AdversarialTrain", "Export", "Knockoff", "Transfer", "Unlearn", "WRK"}  # attacks that refuse detectors
WEIGHTS = Path(__file__).parent / "weights"
TASK = Detection()


class Spotter(nn.Module):
    """Says for every cell of a grid how sure it is of a square of each class around the cell's centre; 0 is no class.

    Every cell sees the mean of all, so that an object's score depends on far corners, as in a deep network.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.context = nn.Linear(8, 8)
        self.cls_logits = nn.Conv2d(8, len(NAMES), 1)

    def forward(self, images: Tensor, targets: list[dict[str, Tensor]] | None = None) -> Any:
        maps = self.backbone(images)
        around = self.context(maps.mean((2, 3)))[:, :, None, None]
        logits = self.cls_logits((maps + around).relu())
        if self.training:
            assert targets is not None
            return {"loss": functional.binary_cross_entropy_with_logits(logits, wanted(logits, targets))}
        return [self.told(one) for one in logits.sigmoid()]

    def told(self, scores: Tensor) -> dict[str, Tensor]:
        rows = torch.arange(scores.shape[1], dtype=scores.dtype) * CELL + CELL / 2
        down, across = torch.meshgrid(rows, rows, indexing="ij")
        box = torch.stack([across, down, across, down], -1) + scores.new_tensor([-1, -1, 1, 1]) * SIDE / 2
        labels = torch.arange(1, 1 + len(NAMES))[:, None, None].expand(scores.shape)
        return {
            "boxes": box.expand(len(NAMES), *box.shape).reshape(-1, 4),
            "labels": labels.flatten(),
            "scores": scores.flatten(),
        }


def wanted(logits: Tensor, targets: list[dict[str, Tensor]]) -> Tensor:
    """1 in the cells that hold the centre of a box of their class."""
    found = torch.zeros_like(logits)
    for image, target in zip(found, targets, strict=True):
        centres = (target["boxes"][:, :2] + target["boxes"][:, 2:]) / 2
        for label, (across, down) in zip(target["labels"], (centres / CELL).long().clamp(0, SIZE // CELL - 1), strict=True):
            image[label - 1, down, across] = 1
    return found


def squares(count: int = 24, number: int = 0) -> Images:
    """Grey noise with one square of each class, in different cells outside of the upper left corner."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(90, 140, (count, SIZE, SIZE, 3)).astype(np.uint8)
    labels = np.zeros((count, len(NAMES), 6))
    for image, rows in zip(pixels, labels, strict=True):
        cells = rng.choice(np.arange(2, (SIZE // CELL) ** 2), len(NAMES), replace=False)
        for kind, cell in enumerate(cells):
            down, across = (CELL * place + CELL // 2 for place in divmod(int(cell), SIZE // CELL))
            left, top = max(across - SIDE // 2, 0), max(down - SIDE // 2, 0)
            right, bottom = min(across + SIDE // 2, SIZE), min(down + SIDE // 2, SIZE)
            image[top:bottom, left:right, kind] = 250
            rows[kind] = (kind, left / SIZE, top / SIZE, right / SIZE, bottom / SIZE, 1)
    return Images(pixels, labels, NAMES, TASK)


def blank(number: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(number)
        return prepared(Spotter(), Preprocess())


@cache
def spotter(number: int = 0) -> nn.Module:
    """One that has learnt the squares; never to be changed."""
    return load_weights(blank(number), WEIGHTS / f"spotter-{number}.safetensors")


def make() -> None:
    """Train both and write their weights."""
    training = Training(epochs=30, batch=16, rate=0.3, flips=False, shift=0)
    for number in range(2):
        model = train(blank(number), squares(64), training, torch.Generator().manual_seed(number))
        save_weights(model, WEIGHTS / f"spotter-{number}.safetensors")


if __name__ == "__main__":
    make()
