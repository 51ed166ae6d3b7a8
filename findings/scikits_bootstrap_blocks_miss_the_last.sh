#!/usr/bin/env bash
# Expected: the blocks of a moving-block bootstrap begin anywhere from the first observation to the last one that leaves room for a
# block ("making the last block for data of length L start at L-block_length", as its docstring says), so that all are drawn.
# Happens: the last of these blocks is never drawn: the newest observation of a series is in no resample at all, and a series of
# zeros whose last value is 1,000 has the same mean, 0, in all of them.
source "$(dirname "$0")/_venv.sh" scikits-bootstrap==1.1.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from scikits.bootstrap import bootstrap_indices_moving_block

print("scikits-bootstrap", importlib.metadata.version("scikits-bootstrap"))
series = np.zeros(12)
series[-1] = 1000
drawn = np.array(list(bootstrap_indices_moving_block(series, 5000, block_length=3, seed=0)))
wrapped = np.array(list(bootstrap_indices_moving_block(series, 5000, block_length=3, wrap=True, seed=0)))
means = series[drawn].mean(1)
print(f"drawn in 5,000 resamples: {np.unique(drawn).tolist()}, with wrap=True {np.unique(wrapped).tolist()}")
print(f"mean {series.mean():.1f}, of the resamples {means.min():.1f} to {means.max():.1f}")
if not (np.unique(drawn).tolist() == list(range(11)) and np.unique(wrapped).tolist() == list(range(12)) and means.max() == 0):
    raise SystemExit("changed")
PYTHON
