#!/usr/bin/env bash
# Expected: Hansen's test for superior predictive ability asks whether some model beats the benchmark. A model of the benchmark's
# own losses, and one that is worse by the same amount in every case, do not: p = 1.
# Happens: p = 0, the clearest of wins, as the bootstrapped differences do not vary and a maximum of 0 is not above 0; the same
# model with a little noise has a p of 0.5. `better_models` names none of them.
source "$(dirname "$0")/_venv.sh" arch==8.0.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 statsmodels==0.15.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from arch.bootstrap import SPA

print("arch", importlib.metadata.version("arch"))
rng = np.random.default_rng(0)
losses = rng.normal(size=200) ** 2
models = {"equal": losses, "worse by 1": losses + 1, "worse by 1, and noise": losses + 1 + 0.1 * rng.normal(size=200)}
found = {}
for name, other in models.items():
    test = SPA(losses, other[:, None], seed=1, reps=500)
    test.compute()
    found[name] = float(test.pvalues["consistent"])
    print(f"{name}: p = {found[name]:.3g}; better models: {list(test.better_models(0.05))}")
if not (found["equal"] == 0.0 and found["worse by 1"] == 0.0 and found["worse by 1, and noise"] > 0.2):
    raise SystemExit("changed")
PYTHON
