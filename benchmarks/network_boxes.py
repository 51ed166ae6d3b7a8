"""What the detectors of the matrix need: a head that is sure of something, and images with boxes that it finds."""

import json
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import models

from network_names import Row
from ownmark.models.network import Network
from ownmark.tasks import Detection, boxes

TASK = Detection(least=0.1)
MOST = 12  # boxes of one image
OUTPUTS = ["boxes", "scores", "labels"]  # in the order in which torch's exporter tells a dictionary


def awake(model: nn.Module, classes: int) -> None:
    """Heads with a sigmoid per class begin sure that nothing is there, and then no sample has an object; class 0 is none.

    A region proposal network (`rpn`) tells no classes.
    """
    for name, part in model.named_modules():
        if name.endswith("cls_logits") and not name.startswith("rpn.") and isinstance(part.bias, nn.Parameter):
            with torch.no_grad():
                part.bias.zero_().view(-1, classes)[:, 0] = -5.0


def furnish(row: Row, model: nn.Module, pixels: np.ndarray, names: tuple[str, ...]) -> None:
    """A folder with COCO's boxes: images of noise, and on each what the network itself finds there."""
    with torch.no_grad():
        outputs = model.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255)
    told: dict[str, list[object]] = {"images": [], "annotations": []}
    told["categories"] = [{"id": number + 1, "name": name} for number, name in enumerate(names)]
    Path("images/images").mkdir(parents=True, exist_ok=True)
    for number, (image, rows) in enumerate(zip(pixels, boxes.suppressed(outputs, TASK.least), strict=True)):
        Image.fromarray(image).save(Path("images/images") / f"{number}.png")
        told["images"].append({"id": number, "file_name": f"{number}.png", "width": row.size, "height": row.size})
        for kind, *edges, _ in rows[rows[:, boxes.SCORE] > 0][:MOST]:
            left, top, right, bottom = (float(edge) * row.size for edge in np.clip(edges, 0, 1))
            box = [left, top, right - left, bottom - top]
            told["annotations"].append({"image_id": number, "category_id": int(kind), "bbox": box})
    Path("images/annotations.json").write_text(json.dumps(told))


def exported(row: Row, weights: Path, file: Path, classes: int) -> None:
    """The detector as a user of torchvision exports it, with its own thresholds."""
    loaded = Network(row.name, classes).loaded(weights)
    raw = _raw(row, classes)
    raw.load_state_dict(loaded.state_dict())
    with warnings.catch_warnings(action="ignore"):
        example = torch.rand(3, row.size, row.size)
        torch.onnx.export(raw.eval(), ([example],), file, dynamo=False, input_names=["image"], output_names=OUTPUTS)


def _raw(row: Row, classes: int) -> nn.Module:
    """Without ownmark's hooks."""
    name, _, options = row.name.removeprefix("torchvision:").partition("(")
    given = {"min_size": row.size, "max_size": row.size} if options else {}
    model: nn.Module = models.get_model(name, weights=None, weights_backbone=None, num_classes=classes, **given)
    return model
