#!/usr/bin/env bash
# Expected: the p-value of a permutation test with 9 shuffles is at least 1 / 10, since the data as they are count as one of the
# orders that chance might have given (Phipson and Smyth 2010); scipy's permutation_test and dcor count them.
# Happens: `pingouin.distance_corr` divides the shuffles that reach the statistic by the shuffles: two independent samples have
# p = 0 in a tenth of all cases, twice the level of p <= 0.05.
source "$(dirname "$0")/_venv.sh" pingouin==0.7.0 dcor==0.7 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import pingouin
from dcor.independence import distance_covariance_test

print("pingouin", importlib.metadata.version("pingouin"))
rng = np.random.default_rng(0)
found, counted = [], []
for seed in range(300):
    one, other = rng.normal(size=(2, 20))
    found.append(pingouin.distance_corr(one, other, n_boot=9, seed=seed)[1])
    counted.append(distance_covariance_test(one, other, num_resamples=9, random_state=seed).pvalue)
rejected, proper = (float(np.mean(np.array(values) <= 0.05)) for values in (found, counted))
print(f"300 pairs of independent samples, 9 shuffles: the smallest p is {min(found)} by pingouin and {min(counted):.1f} by dcor; "
      f"p <= 0.05 in {rejected:.0%} and {proper:.0%} of the cases")
if min(found) != 0 or rejected < 0.06 or min(counted) < 0.099:
    raise SystemExit("changed")
PYTHON
