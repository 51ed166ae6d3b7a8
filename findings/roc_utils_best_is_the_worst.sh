#!/usr/bin/env bash
# Expected: where scores separate two groups the best threshold is one between them, by whichever measure it is chosen, and by "chi2" it
# is the one that the statistic in the docstring is largest at.
# Happens: by the odds ratio roc_utils chooses infinity (all are negative, accuracy 0.5) and by LR+ a threshold inside the group, since
# what is divided by 0 counts as -1. "chi2" multiplies where the formula divides: a threshold with an accuracy of 0.77, not 0.85.
source "$(dirname "$0")/_venv.sh" roc-utils==0.2.2 numpy==1.26.4 scipy==1.11.4 pandas==2.2.3 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from roc_utils import compute_roc

print("roc-utils", importlib.metadata.version("roc-utils"))
truth = np.repeat([False, True], 4)
scores = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
separate = {name: compute_roc(scores, truth, True, objective=name).opd[name] for name in ("youden", "plr", "dor")}
for name, best in separate.items():
    print(f"separated, by {name}: threshold {best.opt}, accuracy {best.opa:.3f}")
rng = np.random.default_rng(0)
truth, scores = np.repeat([False, True], 300), np.r_[rng.normal(0, 1, 300), rng.normal(2, 1, 300)]
roc = compute_roc(scores, truth, True, objective="chi2")
best, fpr, tpr = roc.opd["chi2"], np.asarray(roc.fpr), np.asarray(roc.tpr)
positive = (tpr + fpr) / 2
with np.errstate(invalid="ignore"):
    statistic = np.nan_to_num((tpr - fpr) ** 2 / (positive * (1 - positive) * (2 / 300)))
rightly = int(statistic.argmax())
accuracy = float((tpr[rightly] + 1 - fpr[rightly]) / 2)
print(f"overlapping, by chi2: accuracy {best.opa:.3f}, statistic {statistic[best.ind]:.0f}")
print(f"at the largest statistic: accuracy {accuracy:.3f}, statistic {statistic[rightly]:.0f}")
if not (np.isinf(separate["dor"].opt) and separate["plr"].opa < 0.9 < separate["youden"].opa and best.opa < 0.8 < accuracy):
    raise SystemExit("changed")
PYTHON
