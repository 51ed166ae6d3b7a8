#!/usr/bin/env bash
# Expected: McNemar's test finds no difference (p = 1, or nan) between two classifiers that are right on the same images.
# Happens: `mcnemar(..., exact=False)` answers p = 0, as for a difference beyond doubt; with exact=True p = 1. The continuity
# correction is taken beyond zero and then divided by no discordant pair; all that tells is numpy's warning of the division.
source "$(dirname "$0")/_venv.sh" statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import statsmodels
from statsmodels.stats.contingency_tables import mcnemar

print("statsmodels", statsmodels.__version__)
agree = [[90, 0], [0, 10]]
exact, approximate = (mcnemar(agree, exact=how).pvalue for how in (True, False))
plain = mcnemar(agree, exact=False, correction=False).pvalue
print(f"two classifiers that never differ: p = {exact:.3g} exact, {approximate:.3g} approximate, {plain:.3g} without correction")
if (exact, approximate) != (1.0, 0.0):
    raise SystemExit("changed")
PYTHON
