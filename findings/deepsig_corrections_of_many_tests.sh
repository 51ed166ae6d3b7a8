#!/usr/bin/env bash
# Expected: Bonferroni's correction multiplies each p-value by their number and leaves it in its place; a comparison of two models that
# is one of 1,000 needs more evidence than one that is one of 2.
# Happens: deepsig gives the corrected values back in another order (of 0.9, 0.001 and 0.5 the third is the significant one), each
# multiplied as Holm does; and `aso` raises its confidence to 0.975 for 2 comparisons, for 1,000 to 0.95005, next to 0.95 for one.
source "$(dirname "$0")/_venv.sh" deepsig==1.2.8 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from deepsig import aso, bonferroni_correction

print("deepsig", importlib.metadata.version("deepsig"))
values = [0.9, 0.001, 0.5]
corrected = [round(float(value), 4) for value in bonferroni_correction(values)]
plain = [round(float(value), 4) for value in np.minimum(1, 3 * np.array(values))]
print(f"{values}: corrected {corrected}, times 3 {plain}")
rng = np.random.default_rng(0)
one, other = rng.normal(0.8, 1, 20), rng.normal(0, 1, 20)
bounds = {}
for count in (1, 2, 10, 1000):
    bounds[count] = float(aso(one, other, num_comparisons=count, num_bootstrap_iterations=300, seed=1, show_progress=False))
    print(f"one of {count} comparisons: the violation ratio is at most {bounds[count]:.3f}")
if not (corrected == [1, 0.9, 0.003] and bounds[1] < bounds[1000] < bounds[10] < bounds[2]):
    raise SystemExit("changed")
PYTHON
