#!/usr/bin/env bash
# Expected: Hochberg's procedure looks for the largest p-value that is at most alpha / (m + 1 - k), k its rank, and rejects it and all
# that are smaller (Hochberg 1988), as statsmodels does.
# Happens: multipy counts the p-values that are below their own bound, and rejects as many of the smallest: of 0.02, 0.021, 0.022,
# 0.023 and 0.9 it rejects one, since three of the four smaller ones are above theirs, and of two equal p-values one only.
source "$(dirname "$0")/_venv.sh" multipy==0.16 statsmodels==0.15.0 scipy==1.17.1 pandas==3.1.1 seaborn==0.13.2 scikit-image==0.26.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from multipy.fwer import hochberg
from statsmodels.stats.multitest import multipletests

print("multipy", importlib.metadata.version("multipy"))
counts = []
for values in ([0.02, 0.021, 0.022, 0.023, 0.9], [0.02, 0.02, 0.9], [0.001, 0.9, 0.9]):
    bounds = [round(0.05 / (len(values) - rank), 4) for rank in range(len(values))]
    mine = hochberg(np.array(values), alpha=0.05).tolist()
    theirs = multipletests(values, 0.05, "simes-hochberg")[0].tolist()
    counts.append((sum(mine), sum(theirs)))
    print(f"{values} with the bounds {bounds}: multipy rejects {mine}, statsmodels {theirs}")
if counts != [(1, 4), (1, 2), (1, 1)]:
    raise SystemExit("changed")
PYTHON
