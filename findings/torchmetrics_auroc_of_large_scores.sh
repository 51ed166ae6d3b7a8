#!/usr/bin/env bash
# Expected: the area under the ROC curve depends on the order of the scores alone: with every positive above every negative it is 1,
# whether the scores are probabilities, distances or log-likelihoods.
# Happens: scores outside [0, 1] pass through a sigmoid in 32 bits first, where everything above 17 is 1: the distances 20, 21 | 22,
# 23 have an area of 0.5, as chance has, and so have large negative ones. There is no warning; sklearn and MONAI answer 1.
source "$(dirname "$0")/_venv.sh" torchmetrics==1.9.0 monai==1.6.1 scikit-learn==1.9.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import torch
import torchmetrics
from monai.metrics import compute_roc_auc
from sklearn.metrics import roc_auc_score
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

print("torchmetrics", torchmetrics.__version__)
labels = torch.tensor([0, 0, 1, 1])
areas = {}
for start in (0.1, 2.0, 20.0, -200.0):
    scores = start + torch.arange(4) * (0.1 if start < 1 and start > 0 else 1)
    areas[start] = float(binary_auroc(scores, labels))
    precision = float(binary_average_precision(scores, labels))
    others = float(roc_auc_score(labels, scores)), float(compute_roc_auc(scores, labels))
    print(f"{scores.tolist()}: torchmetrics {areas[start]}, average precision {precision}; sklearn and MONAI {others}")
    if others != (1, 1) or precision != areas[start]:
        raise SystemExit("changed")
if areas != {0.1: 1.0, 2.0: 1.0, 20.0: 0.5, -200.0: 0.5}:
    raise SystemExit("changed")
PYTHON
