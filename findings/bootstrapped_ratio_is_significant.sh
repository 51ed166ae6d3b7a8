#!/usr/bin/env bash
# Expected: two samples from one distribution are told apart in 5% of the cases, whether bootstrapped compares them by their difference
# or by their ratio; a permutation test finds a fall as well as a rise.
# Happens: every comparison is held against 0. A ratio's interval never holds 0, so that each ratio is significant, of a sample with
# itself too; and the permutation test by ratio finds twice the mean (p = 0) and not half of it (p = 1).
source "$(dirname "$0")/_venv.sh" bootstrapped==0.0.2 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import bootstrapped.bootstrap as bs
import bootstrapped.compare_functions as compare
import bootstrapped.stats_functions as statistic
import numpy as np
from bootstrapped.permutation import permutation_test

print("bootstrapped", importlib.metadata.version("bootstrapped"))
np.random.seed(0)
low = np.random.normal(10, 2, 100)
high = 2 * low
found, p = {}, {}
for name in ("difference", "percent_change", "ratio"):
    by = getattr(compare, name)
    pairs = [np.random.normal(10, 2, (2, 100)) for _ in range(40)]
    results = [bs.bootstrap_ab(*pair, statistic.mean, by, num_iterations=500) for pair in pairs]
    found[name] = sum(bool(result.is_significant()) for result in results)
    p[name] = [float(permutation_test(*pair, statistic.mean, by, num_iterations=500)) for pair in ((high, low), (low, high))]
    print(f"{name}: {found[name]} of 40 pairs of like samples are significant; p of twice the mean {p[name][0]}, of half {p[name][1]}")
itself = bs.bootstrap_ab(low, low, statistic.mean, compare.ratio, num_iterations=500)
print(f"a sample with itself, by ratio: {itself}; significant: {itself.is_significant()}")
if not (found["ratio"] == 40 and found["difference"] < 10 and p["ratio"] == [0.0, 1.0] and p["difference"] == [0.0, 0.0]):
    raise SystemExit("changed")
PYTHON
