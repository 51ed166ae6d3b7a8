#!/usr/bin/env bash
# Expected: many tests that each have a p-value of 0.001 are combined into a small one, and more of them into no larger one.
# Happens: permute's Fisher combination, its default, takes the logarithm of the product of the p-values, which is 0 for 1,000 of them:
# all combined statistics are infinite, no permutation is smaller, and the global p-value is 1. By Liptak's and Tippett's it is 0.001.
source "$(dirname "$0")/_venv.sh" permute==0.2 cryptorandom==0.4 numpy==2.4.6 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from permute.npc import npc

print("permute", importlib.metadata.version("permute"))
rng = np.random.default_rng(0)
found = {}
for tests in (2, 100, 1000):
    permuted = rng.normal(size=(999, tests))
    for name in ("fisher", "liptak", "tippett"):
        found[name, tests] = float(npc(np.full(tests, 0.001), permuted, combine=name))
    print(f"{tests} tests with p = 0.001 each:", {name: found[name, tests] for name in ("fisher", "liptak", "tippett")})
if not (found["fisher", 100] == found["liptak", 1000] == found["tippett", 1000] == 0.001 and found["fisher", 1000] == 1.0):
    raise SystemExit("changed")
PYTHON
