"""Mean average precision by torchmetrics, on pycocotools: never a computation of our own."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ownmark.errors import UsageError
from ownmark.tasks import boxes


def average_precision(found: npt.NDArray[Any], labels: npt.NDArray[Any]) -> dict[str, float]:
    """mAP at an overlap of 0.5 and over 0.5 to 0.95, of detections (n, q, 6) against labels (n, m, 6). Raises UsageError."""
    try:
        from torchmetrics.detection import MeanAveragePrecision

        metric = MeanAveragePrecision()
    except ModuleNotFoundError as error:
        raise UsageError("mean average precision needs torchmetrics and pycocotools: pip install 'ownmark[detection]'") from error
    metric.warn_on_many_detections = False  # more than 100 detections of an image do not count
    metric.update([_told(rows) for rows in found], [_told(rows) for rows in labels])
    result = metric.compute()
    return {"map_50": max(float(result["map_50"]), 0.0), "map": max(float(result["map"]), 0.0)}


def _told(rows: npt.NDArray[Any]) -> dict[str, Any]:
    """Boxes in thousandths of the image's sides, labels and scores: a metric that does not depend on the size needs no pixels."""
    import torch

    there = torch.from_numpy(np.ascontiguousarray(rows[rows[:, boxes.SCORE] > 0], dtype=np.float32))
    return {"boxes": 1000 * there[:, boxes.BOX], "labels": there[:, boxes.LABEL].long(), "scores": there[:, boxes.SCORE]}
