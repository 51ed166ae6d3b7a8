#!/usr/bin/env bash
# Expected: `find_largest_region` answers the size of the largest set of the smallest p-values of which at least a given part are true
# discoveries: 10 where ten p-values are tiny and the guaranteed part is 1 up to ten, 1 where one is.
# Happens: sanssouci answers the index of the last such p-value, counted from 0: 9 for ten discoveries, 0 for one, as for none at all; and
# 49 of 50 where the asked part is 0.
source "$(dirname "$0")/_venv.sh" sanssouci==0.1.5 scikit-learn==1.8.0 scipy==1.17.1 numpy==2.3.5
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from sanssouci import curve_min_tdp, linear_template
from sanssouci.post_hoc_bounds import find_largest_region

print("sanssouci", importlib.metadata.version("sanssouci"))
thresholds = linear_template(0.05, 50, 50)
told = {}
for count in (0, 1, 3, 10):
    p_values = np.concatenate([np.full(count, 1e-12), np.linspace(0.2, 1, 50 - count)])
    certain = int((curve_min_tdp(p_values, thresholds) == 1).sum())
    told[count] = int(find_largest_region(p_values, thresholds, 1))
    print(f"{count} tiny p-values of 50: all true up to {certain}, find_largest_region {told[count]}")
whole = int(find_largest_region(p_values, thresholds, 0))
print(f"asked for a part of 0: {whole} of 50")
if told != {0: 0, 1: 0, 3: 2, 10: 9} or whole != 49:
    raise SystemExit("changed")
PYTHON
