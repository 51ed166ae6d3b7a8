#!/usr/bin/env bash
# Expected: a class that is in neither of two label maps does not count in their mean intersection over union, as in torchmetrics, or
# is NaN; maps that agree in no pixel have 0.
# Happens: `kornia.metrics.mean_iou` gives such a class 1: two maps that agree nowhere have a mean of 0.98 over 100 classes. (What
# it answers is one number per class, for all that its name says.)
source "$(dirname "$0")/_venv.sh" kornia==0.9.0 torchmetrics==1.9.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import kornia
import torch
import torchmetrics
from torchmetrics.functional.classification import multiclass_jaccard_index

print("kornia", kornia.__version__, "torchmetrics", torchmetrics.__version__)
truth, answer = torch.zeros(1, 8, 8, dtype=torch.int64), torch.ones(1, 8, 8, dtype=torch.int64)
means = {}
for classes in (2, 10, 100):
    each = kornia.metrics.mean_iou(answer, truth, classes)
    means[classes] = round(float(each.mean()), 3)
    other = float(multiclass_jaccard_index(answer, truth, classes))
    print(f"{classes} classes, all pixels wrong: kornia {means[classes]} (shape {list(each.shape)}), torchmetrics {other}")
    if other:
        raise SystemExit("changed")
if means != {2: 0.0, 10: 0.8, 100: 0.98}:
    raise SystemExit("changed")
PYTHON
