#!/usr/bin/env bash
# Expected: a detector that gives every sample the same score has an area under the precision-recall curve of the share of
# outliers, 1% where 1 sample in 100 is one, as sklearn's average precision and torchmetrics say.
# Happens: pytorch-ood's AUPR-OUT is 50.5%, since it draws a straight line from the curve's end to (0, 1): the rarer the outliers, the
# better a blind detector looks. AUROC is 0.5, as it should be.
source "$(dirname "$0")/_venv.sh" pytorch-ood==0.4.0 torchmetrics==1.9.0 scikit-learn==1.9.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
from pytorch_ood.metrics import OODMetrics
from sklearn.metrics import average_precision_score
from torchmetrics.functional.classification import binary_average_precision

print("pytorch-ood", importlib.metadata.version("pytorch-ood"))
areas = {}
for outliers in (500, 100, 10):
    outside = torch.arange(1000) < outliers
    constant = torch.zeros(1000)
    metrics = OODMetrics()
    metrics.update(constant, torch.where(outside, -1, 0))
    found = metrics.compute()
    areas[outliers] = round(float(found["AUPR-OUT"]), 3)
    others = [round(float(each), 3) for each in (average_precision_score(outside, constant), binary_average_precision(constant, outside.long()))]
    print(f"{outliers} outliers of 1000, a constant score: AUPR-OUT {areas[outliers]} (AUROC {found['AUROC']}); sklearn, torchmetrics {others}")
    if others != [outliers / 1000] * 2:
        raise SystemExit("changed")
if areas != {500: 0.75, 100: 0.55, 10: 0.505}:
    raise SystemExit("changed")
PYTHON
