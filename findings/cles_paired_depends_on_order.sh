#!/usr/bin/env bash
# Expected: the common language effect size of pairs is the part of the pairs in which one exceeds the other, from 50 (they are alike) to
# 100 (always); it is the same for A against B and for B against A, and 50 for A against A.
# Happens: CLES compares each of n differences with n - 1 zeros and divides by n * n: where every one of 5 pairs rises by 1 it is 80, and
# the other way round 100; of 5 pairs that are alike 60, of 2 pairs 75.
source "$(dirname "$0")/_venv.sh" CLES==0.1.3 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from CLES import CLES_1samp, CLES_2paired

print("CLES", importlib.metadata.version("CLES"))
before = np.array([0.61, 0.7, 0.64, 0.58, 0.66])
after = before + 1
rises, falls = round(float(CLES_2paired(before, after)), 6), round(float(CLES_2paired(after, before)), 6)
print(f"all of 5 pairs differ in the same direction: {rises} one way, {falls} the other way")
print(f"their differences as one sample, against 0: {float(CLES_1samp(after - before))} and {float(CLES_1samp(before - after))}")
alike = {count: round(float(CLES_2paired(np.arange(count), np.arange(count))), 6) for count in (2, 5, 10, 100)}
print(f"pairs of equal values, by their number: {alike}")
if (rises, falls) != (80, 100) or alike != {2: 75, 5: 60, 10: 55, 100: 50.5}:
    raise SystemExit("changed")
PYTHON
