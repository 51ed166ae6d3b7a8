#!/usr/bin/env bash
# Expected: `TemperatureScaling.temperature` is the T of softmax(s / T), which the class's own documentation and Guo et al. (2017)
# write: 3 for a model that is three times too sure.
# Happens: it is 1 / T: 0.32, as for a model that is not sure enough. The calibrated probabilities are right.
source "$(dirname "$0")/_venv.sh" netcal==1.4.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import numpy as np
from netcal.scaling import TemperatureScaling

print("netcal", importlib.metadata.version("netcal"))
rng = np.random.default_rng(0)
honest = rng.dirichlet(np.ones(5), 5000)
labels = np.array([rng.choice(5, p=row) for row in honest])
scores = 3 * np.log(honest)
sure = np.exp(scores - scores.max(1, keepdims=True))
sure /= sure.sum(1, keepdims=True)
scaling = TemperatureScaling()
scaling.fit(sure, labels)
found = float(np.ravel(scaling.temperature)[0])
away = float(np.abs(scaling.transform(sure) - honest).max())
print(f"a model three times too sure: the temperature is {found:.2f}; calibrated, it is off from the truth by {away:.3f} at most")
if not (abs(found - 1 / 3) < 0.05 and away < 0.05):
    raise SystemExit("changed")
PYTHON
