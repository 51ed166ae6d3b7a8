"""Detectors as ownmark sees them: all their candidates before suppression, as one tensor of rows (`tasks.boxes`).

A detector answers a list with a dictionary of boxes, labels and scores per image, as torchvision's do.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ownmark.errors import ModelError
from ownmark.tasks import boxes

CANDIDATES = 1000  # rows per image, best first
PARTS = ("boxes", "labels", "scores")


def are_detections(answered: object) -> bool:
    """Whether it is a list of boxes, labels and scores, one dictionary per image."""
    found = isinstance(answered, Sequence) and not isinstance(answered, str | Tensor) and len(answered) > 0
    return found and all(isinstance(one, Mapping) and set(PARTS) <= set(one) for one in answered)  # type: ignore[attr-defined]


def rows_of(answered: Sequence[Mapping[str, Any]], images: Tensor) -> Tensor:
    """(n, CANDIDATES, 6), the best first, from boxes in pixels of the images (n, channels, height, width)."""
    height, width = images.shape[2:]
    return torch.stack([_rows(one, height, width) for one in answered])


def _rows(told: Mapping[str, Any], height: int, width: int) -> Tensor:
    box, labels, scores = (told[part] for part in PARTS)
    if box.ndim != 2 or box.shape[1:] != (4,) or labels.shape != scores.shape or scores.shape != box.shape[:1]:  # noqa: PLR2004
        shapes = ", ".join(f"{part} {tuple(told[part].shape)}" for part in PARTS)
        raise ModelError(f"expected boxes (m, 4), labels (m,) and scores (m,) per image, got {shapes}")
    shares = box / box.new_tensor([width, height, width, height])
    rows = torch.cat([labels.to(box.dtype)[:, None], shares, scores.to(box.dtype)[:, None]], 1)
    rows = rows[scores.argsort(descending=True, stable=True)[:CANDIDATES]]
    return torch.cat([rows, rows.new_zeros(CANDIDATES - len(rows), boxes.COLUMNS)])
