#!/usr/bin/env bash
# Expected: Sequential Goodness of Fit rejects nothing where 5 of 100 p-values are below 0.05, as chance has it, and the more the more of
# them are below it: of 60 tiny ones about 50, the surplus over chance.
# Happens: multidst's `sgof_test` takes p-values away for as long as the rest are too many for chance, and answers that rest: the
# same number of 10, 30 or 60 tiny ones, 9; and the five smallest of 100 that are nothing but noise.
source "$(dirname "$0")/_venv.sh" multidst==0.1.11 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 statsmodels==0.15.0 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np
from scipy.stats import binom

with contextlib.redirect_stdout(io.StringIO()):
    from multidst.functions import multitest

print("multidst", importlib.metadata.version("multidst"))
told = {}
for real in (0, 10, 30, 60):
    noise = (np.arange(100 - real) + 0.5) / (100 - real)
    values = np.concatenate([np.linspace(1e-9, 1e-8, real), noise])
    found = {name: len(each) for name, each in multitest(values).items() if name != "pi0 estimate"}
    below = int((values <= 0.05).sum())
    meant = max(0, below - int(binom.ppf(0.95, 100, 0.05)))
    told[real] = found["SGoF"]
    print(f"{real} effects, {below} of 100 p-values below 0.05: SGoF {told[real]}, by its definition {meant}; Bonferroni {found['Bonferroni']}, BH {found['BH']}")
if told != {0: 5, 10: 9, 30: 9, 60: 9}:
    raise SystemExit("changed")
PYTHON
