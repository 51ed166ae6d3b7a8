#!/usr/bin/env bash
# Expected: a score that is no better than chance accepts half of the false ones where it accepts half of the true ones, as its curve is the
# diagonal: a false positive rate of 0.5 at a true positive rate of 0.5, of 0.95 at 0.95.
# Happens: osr-metrics takes the next point of scikit-learn's curve, which leaves out all points on a straight line: where every score is
# held by as many true as false ones, the rate is 1.0 at 0.5, at 0.8 and at 0.95; with the points (drop_intermediate=False) 0.5, 0.8, 0.95.
source "$(dirname "$0")/_venv.sh" osr-metrics==0.5.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.3.5
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from osr_metrics import auroc, fpr_at_tpr
from sklearn.metrics import roc_curve

print("osr-metrics", importlib.metadata.version("osr-metrics"))
scores, outside = np.repeat(np.arange(100.0), 2), np.tile([0, 1], 100)
false, true, _ = roc_curve(outside, scores, drop_intermediate=False)
told = {}
for rate in (0.5, 0.8, 0.95):
    told[rate] = fpr_at_tpr(scores, outside, rate)
    print(f"at a true positive rate of {rate}: {told[rate]}; from all points of the curve {float(false[np.argmax(true >= rate - 1e-9)])}")
print(f"area {auroc(scores, outside)}; points of the curve {len(false)}, of scikit-learn's by default {len(roc_curve(outside, scores)[0])}")
if set(told.values()) != {1.0}:
    raise SystemExit("changed")
PYTHON
