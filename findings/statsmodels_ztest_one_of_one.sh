#!/usr/bin/env bash
# Expected: one success in one trial says next to nothing against a rate of one half: p near 0.5, at least 0.3.
# Happens: `proportions_ztest(1, 1, 0.5)` is z = inf, p = 0: the variance is that of the proportion observed, which is 0, not
# that of the hypothesis. `prop_var=0.5` gives the usual test.
source "$(dirname "$0")/_venv.sh" statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import statsmodels
from statsmodels.stats.proportion import proportions_ztest

print("statsmodels", statsmodels.__version__)
(z, p), (_, usual) = proportions_ztest(1, 1, 0.5), proportions_ztest(1, 1, 0.5, prop_var=0.5)
print(f"one of one against a half: z = {z}, p = {p}; with the variance of the hypothesis p = {usual:.2f}")
if p != 0 or usual < 0.3:
    raise SystemExit("changed")
PYTHON
