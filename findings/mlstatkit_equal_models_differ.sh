#!/usr/bin/env bash
# Expected: DeLong's test of a model with itself, with itself in other units, or of two models that separate the classes perfectly says that
# the areas under the curves do not differ: a p-value of 1, or none, as their difference and its variance are 0.
# Happens: MLstatkit falls back on a bootstrap whose differences are all 0, and takes twice the smaller of the parts "at most 0" (1) and
# "above 0" (0): z = 0 and p = 0, the most significant difference there is, between equal areas.
source "$(dirname "$0")/_venv.sh" MLstatkit==0.1.91 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from MLstatkit import Delong_test

print("MLstatkit", importlib.metadata.version("MLstatkit"))
rng = np.random.default_rng(0)
labels = np.repeat([0, 1], 50)
model, close = rng.normal(size=100) + 3 * labels, rng.normal(size=100) + 2.9 * labels
perfect, other = labels + rng.uniform(0, 0.1, 100), 2 * labels + rng.uniform(0, 0.1, 100)
pairs = {"itself": (model, model), "itself in other units": (model, 10 * model + 1), "two perfect ones": (perfect, other), "another": (model, close)}
told = {}
for name, (first, second) in pairs.items():
    z, p, _, _, one, two, how = Delong_test(labels, first, second, random_state=0)
    told[name] = p
    print(f"{name}: areas {one:.4f} and {two:.4f}, z = {z:.2f}, p = {p:.3g} ({how['method']})")
if [p for name, p in told.items() if name != "another"] != [0, 0, 0] or told["another"] < 0.05:
    raise SystemExit("changed")
PYTHON
