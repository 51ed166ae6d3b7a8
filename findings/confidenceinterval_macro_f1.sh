#!/usr/bin/env bash
# Expected: the intervals of the macro and of the micro average of F1 are about as wide where three classes are even in number and in
# their errors, and a classifier without an error has the same interval by both.
# Happens: the macro interval of confidenceinterval is about twice as wide as the bootstrap's and the micro one; a classifier that is
# right 300 times in 300 has a macro F1 of 0.93 to 1.07 and a micro F1 of 1 to 1.
source "$(dirname "$0")/_venv.sh" confidenceinterval==1.0.5 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import confidenceinterval
import numpy as np
from sklearn.metrics import f1_score

print("confidenceinterval", importlib.metadata.version("confidenceinterval"))
rng = np.random.default_rng(0)
labels, width = np.arange(300) % 3, {}
for right in (0.9, 1.0):
    answers = np.where(rng.random(300) < right, labels, (labels + rng.integers(1, 3, 300)) % 3)
    drawn = [f1_score(labels[rows], answers[rows], average="macro") for rows in rng.integers(0, 300, (1000, 300))]
    ranges = {"bootstrap of macro": np.quantile(drawn, (0.025, 0.975))}
    for average in ("macro", "micro"):
        ranges[average] = confidenceinterval.f1_score(labels, answers, average=average)[1]
    for name, (low, high) in ranges.items():
        width[right, name] = high - low
        print(f"{right:.0%} right, F1, {name}: {low:.3f} to {high:.3f}")
if not (width[0.9, "macro"] > 1.7 * width[0.9, "bootstrap of macro"] and width[1.0, "macro"] > 0.1 and width[1.0, "micro"] == 0):
    raise SystemExit("changed")
PYTHON
