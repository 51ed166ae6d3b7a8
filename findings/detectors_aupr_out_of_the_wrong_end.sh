#!/usr/bin/env bash
# Expected: a detector whose scores separate all images from the outside from all others has an AUPR-OUT of 1, as its AUPR-IN and its
# AUROC are, and one that is always wrong the least that there is, 0.31 for as many inside as outside.
# Happens: detectors' `get_ood_results` takes the highest scores for the outliers, which by its other figures are the lowest: the perfect
# detector has 0.31, one of chance 0.5, and one that is always wrong 1. The key `tnr_at_0.95_tpr` that its docstring names is missing.
source "$(dirname "$0")/_venv.sh" detectors==0.1.11 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 timm==1.0.12 scikit-learn==1.9.1 \
    scikit-image==0.26.0 optuna==5.0.0 wilds==2.0.0 faiss-cpu==1.15.1
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
from detectors import get_ood_results
from sklearn.metrics import average_precision_score

print("detectors", importlib.metadata.version("detectors"))
draw = torch.Generator().manual_seed(0)
low, high, more = torch.rand(3, 1000, generator=draw)
told = {}
for name, inside, outside in (("perfect", high + 2, low), ("chance", high, more), ("always wrong", low, high + 2)):
    found = get_ood_results(inside, outside)
    right = average_precision_score([0] * 1000 + [1] * 1000, -torch.cat([inside, outside]).numpy())
    told[name] = [round(float(found[key]), 2) for key in ("auroc", "aupr_in", "aupr_out")] + [round(float(right), 2)]
    print(f"{name}: AUROC {told[name][0]}, AUPR-IN {told[name][1]}, AUPR-OUT {told[name][2]}, by scikit-learn {told[name][3]}")
print("tnr_at_0.95_tpr is there:", "tnr_at_0.95_tpr" in found)
if told["perfect"] != [1, 1, 0.31, 1] or told["always wrong"][2:] != [1, 0.31] or "tnr_at_0.95_tpr" in found:
    raise SystemExit("changed")
PYTHON
