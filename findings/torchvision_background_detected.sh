#!/usr/bin/env bash
# Expected: a detector's label 0 is the background, which is no detection, as in Faster R-CNN, where it is left out.
# Happens: RetinaNet scores the background as one more class, and answers boxes with the label 0.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 torchvision==0.29.1
"$venv/bin/python" - <<'PYTHON'
import torch
from torchvision.models import detection


def labels(name):
    torch.manual_seed(0)
    model = getattr(detection, name)(weights=None, weights_backbone=None, num_classes=4).eval()
    for at, values in model.named_parameters():
        if at.endswith("cls_logits.bias"):
            values.data.zero_()  # as sure of every class as a trained head could be
    with torch.no_grad():
        return sorted(set(model([torch.rand(3, 160, 160)])[0]["labels"].tolist()))


found = {name: labels(name) for name in ("retinanet_resnet50_fpn", "fasterrcnn_resnet50_fpn")}
print(found)
if 0 not in found["retinanet_resnet50_fpn"] or 0 in found["fasterrcnn_resnet50_fpn"]:
    raise SystemExit("changed: which detectors answer the background")
PYTHON
