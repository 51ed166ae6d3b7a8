#!/usr/bin/env bash
# Expected: once fitted, a detector scores a sample the same alone and with others, as pyod's HBOS, PCA and isolation forest do.
# Happens: ECOD and COPOD append the samples to the training data before they score them: an outlier found alone is an inlier
# among a hundred like it.
source "$(dirname "$0")/_venv.sh" pyod==3.6.7 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS

print("pyod", importlib.metadata.version("pyod"))
ordinary = np.random.default_rng(0).normal(size=(200, 4))
strange = np.full((1, 4), 4.0)
for kind in (ECOD, COPOD, HBOS):
    detector = kind(contamination=0.05)
    detector.fit(ordinary)
    alone, among = (detector.decision_function(np.repeat(strange, count, axis=0))[0] for count in (1, 100))
    found = [int(detector.predict(np.repeat(strange, count, axis=0))[0]) for count in (1, 100)]
    print(f"{kind.__name__}: score {alone:.2f} alone, {among:.2f} among 100 like it; outlier: {found}")
    if (alone == among) != (kind is HBOS) or (kind is not HBOS and found != [1, 0]):
        raise SystemExit("changed")
PYTHON
