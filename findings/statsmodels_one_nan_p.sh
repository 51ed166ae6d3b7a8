#!/usr/bin/env bash
# Expected: a p-value of NaN, as a test without data gives one, is refused (as `scipy.stats.false_discovery_control` does), or left
# out (as `pingouin.multicomp` does), or makes all NaN.
# Happens: `multipletests` says with fdr_bh that three hypotheses are rejected, and that all corrected p-values are NaN; which
# of the others are rejected depends on the method, and hommel rejects none, a p-value of 0.001 included. There is no warning.
source "$(dirname "$0")/_venv.sh" statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 pingouin==0.7.0
"$venv/bin/python" -W error - <<'PYTHON'
import warnings

import numpy as np
import statsmodels
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

with warnings.catch_warnings(action="ignore"):
    import pingouin

print("statsmodels", statsmodels.__version__)
found = [0.001, 0.01, np.nan, 0.03]
told = {}
for method in ("holm", "fdr_bh", "hommel"):
    rejected, corrected = multipletests(found, 0.05, method)[:2]
    told[method] = (int(rejected.sum()), int(np.isnan(corrected).sum()))
    print(f"{method}: rejected {rejected.tolist()}, corrected {np.round(corrected, 3).tolist()}")
print("pingouin, fdr_bh:", np.round(pingouin.multicomp(found, method="fdr_bh")[1], 3).tolist())
refused = False
try:
    false_discovery_control(found)
except ValueError as error:
    refused = True
    print("scipy:", error)
if told != {"holm": (2, 1), "fdr_bh": (3, 4), "hommel": (0, 4)} or not refused:
    raise SystemExit("changed")
PYTHON
