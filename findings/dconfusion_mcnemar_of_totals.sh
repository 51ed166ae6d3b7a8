#!/usr/bin/env bash
# Expected: McNemar's test needs to know on which images each of two classifiers errs; from two confusion matrices it cannot be made, so
# that a function that takes these says so. 100 errors against 120 in 1,000, of which 20 are shared, have p = 0.16.
# Happens: dconfusion's `mcnemar_test` takes the difference of the totals for all the disagreement there is: 20 cases to 0, p = 0.00002,
# "Model 1 is significantly better". With as many errors each, however different, "the classifiers make identical predictions".
source "$(dirname "$0")/_venv.sh" dconfusion==1.1.1 numpy==2.4.6 scipy==1.17.1 matplotlib==3.11.2 statsmodels==0.15.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from dconfusion import DConfusion
from statsmodels.stats.contingency_tables import mcnemar

print("dconfusion", importlib.metadata.version("dconfusion"))
truth = np.arange(1000) % 2
told = {}
for name, wrong, shared in (("100 and 120 errors", 120, 20), ("100 and 120 errors", 120, 100), ("100 and 100 errors", 100, 0)):
    first = np.where(np.arange(1000) < 100, 1 - truth, truth)
    second = np.where((np.arange(1000) >= 100 - shared) & (np.arange(1000) < 100 - shared + wrong), 1 - truth, truth)
    one, other = (DConfusion.from_predictions(truth.tolist(), each.tolist()) for each in (first, second))
    found = one.mcnemar_test(other)
    alone = [int((first != truth)[second == truth].sum()), int((second != truth)[first == truth].sum())]
    right = float(mcnemar([[0, alone[0]], [alone[1], 0]], exact=False, correction=True).pvalue)
    told[name, shared] = float(found["p_value"]), right, found["interpretation"]
    print(f"{name}, {shared} of them shared: errors of one alone {alone}, p {right:.2g}; dconfusion p {found['p_value']:.2g}, \"{found['interpretation']}\"")
if not (told["100 and 120 errors", 20][0] < 3e-5 and told["100 and 120 errors", 20][1] > 0.1):
    raise SystemExit("changed")
if told["100 and 120 errors", 20][0] != told["100 and 120 errors", 100][0] or "identical" not in told["100 and 100 errors", 0][2]:
    raise SystemExit("changed")
PYTHON
