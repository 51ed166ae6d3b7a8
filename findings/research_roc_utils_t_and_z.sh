#!/usr/bin/env bash
# Expected: Hanley and McNeil's z of two models that are equally good lies beyond 1.96 in one of twenty cases, and that of a coin and of a
# nearly perfect model is far beyond it; a t of the same areas on as many samples says about the same.
# Happens: in research-roc-utils the t divides by the square root of a standard error that was divided by the samples once too often: of
# equal models on 1,000 samples per class every second pair "differs". The z does not divide by the samples: of a coin and a model of 0.98 it is 0.1.
source "$(dirname "$0")/_venv.sh" research-roc-utils==0.1.1 scikits.bootstrap==1.1.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from research_roc_utils import roc_utils
from scipy.stats import kendalltau
from sklearn.metrics import roc_auc_score

print("research-roc-utils", importlib.metadata.version("research-roc-utils"))
rng = np.random.default_rng(0)
beyond = {}
for count in (100, 1000):
    labels = np.repeat([0, 1], count)
    equal = [(rng.normal(size=2 * count) + labels, rng.normal(size=2 * count) + labels) for _ in range(200)]
    beyond[count] = np.mean([abs(roc_utils.roc_t_stat(labels, *pair, kendalltau)) > 1.96 for pair in equal])
    print(f"equal models, {count} samples per class: |t| > 1.96 in {beyond[count]:.0%} of 200 cases")
labels = np.repeat([0, 1], 100)
coin, good = rng.normal(size=200), rng.normal(size=200) + 3 * labels
t, z = (float(ask(labels, good, coin, kendalltau)) for ask in (roc_utils.roc_t_stat, roc_utils.roc_z_score))
print(f"areas {roc_auc_score(labels, good):.2f} and {roc_auc_score(labels, coin):.2f}, 100 samples per class: t = {t:.1f}, z = {z:.2f}")
if not (0.2 < beyond[100] < 0.4 < beyond[1000] and t > 15 and 0 < z < 0.3):
    raise SystemExit("changed")
PYTHON
