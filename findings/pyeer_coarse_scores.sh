#!/usr/bin/env bash
# Expected: a verifier that gives one score to all has an equal error rate of 0.5 and an area under the curve of 0.5; where its scores
# are few, say matches in 1 test, the area counts a tie as half, as sklearn's does.
# Happens: pyeer's curve ends at the highest score and does not go on to where none is accepted: for one score the equal error rate
# is 1 and the area 0; if all genuine pairs have the highest score and half of the others too, the area is 0.5 in place of 0.75.
source "$(dirname "$0")/_venv.sh" pyeer==0.5.6 setuptools==80.9.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from pyeer.eer_info import get_eer_stats
from sklearn.metrics import roc_auc_score

print("pyeer", importlib.metadata.version("pyeer"))
rng = np.random.default_rng(0)
told = []
for name, genuine, others in (
    ("one score", [0.5] * 4, [0.5] * 4),
    ("two scores", [1] * 4, [0, 0, 1, 1]),
    ("fine scores", rng.normal(1, 1, 2000), rng.normal(0, 1, 2000)),
):
    stats = get_eer_stats(list(genuine), list(others))
    area = roc_auc_score([1] * len(genuine) + [0] * len(others), [*genuine, *others])
    told.append((round(float(stats.eer), 2), round(float(stats.auc), 2), round(float(area), 2)))
    print(f"{name}: equal error rate {told[-1][0]}, area {told[-1][1]}, by sklearn {told[-1][2]}")
if not (told[0] == (1, 0, 0.5) and told[1][1:] == (0.5, 0.75) and abs(told[2][1] - told[2][2]) < 0.01):
    raise SystemExit("changed")
PYTHON
