#!/usr/bin/env bash
# Expected: with `percent=True` pauc gives an area under the curve as a percentage, 74 for 0.74, as R's pROC does with an argument of
# that name; a comparison of two curves comes to the same p-value.
# Happens: both axes are multiplied by 100, and the area is 7,403, with an interval of 7402.93 to 7403.07, as the variance is not; the best
# specificity is -33; and DeLong's test of two curves that do not differ (p = 0.32) has p = 0.
source "$(dirname "$0")/_venv.sh" pauc==0.2.2 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import pauc

print("pauc", importlib.metadata.version("pauc"))
rng = np.random.default_rng(0)
truth = np.repeat([0, 1], 100)
one = rng.normal(size=200) + truth
other = one + rng.normal(size=200)
area, p, best = {}, {}, {}
for percent in (False, True):
    first, second = (pauc.ROC(truth, each, percent=percent) for each in (one, other))
    area[percent], p[percent] = float(first.auc), float(pauc.compare(first, second).p_value)
    best[percent] = {name: round(float(value), 2) for name, value in first.get_coords("best").items()}
    low, high = pauc.ci_auc(first)
    print(f"percent={percent}: area {area[percent]:.4f} ({low:.2f} to {high:.2f}), best point {best[percent]}")
    print(f"    against {second.auc:.4f}: p = {p[percent]:.2g}")
if not (np.isclose(area[True], 1e4 * area[False]) and best[True]["specificity"] < 0 and p[False] > 0.1 and p[True] < 1e-10):
    raise SystemExit("changed")
PYTHON
