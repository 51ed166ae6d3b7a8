#!/usr/bin/env bash
# Expected: frouros's BhattacharyyaDistance is minus the logarithm of the Bhattacharyya coefficient, as in the dictionary; it has no
# upper bound, and is infinite for samples that share no bin.
# Happens: it is 1 minus the coefficient, the square of frouros's HellingerDistance in every digit: 0.76 in place of 1.44, and 1 for
# samples that have nothing in common. The two detectors tell the same.
source "$(dirname "$0")/_venv.sh" frouros==0.9.0 scipy==1.14.1 numpy==2.1.3
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from frouros.detectors.data_drift import BhattacharyyaDistance, HellingerDistance

print("frouros", importlib.metadata.version("frouros"))
rng = np.random.default_rng(0)
reference, same = rng.normal(size=500), True
for name, sample in (("shifted by 3", rng.normal(3, 1, 500)), ("shifted by 100", rng.normal(100, 1, 500))):
    edges = np.histogram_bin_edges(np.concatenate([reference, sample]), 10)
    shares = [np.histogram(each, edges)[0] / 500 for each in (reference, sample)]
    with np.errstate(divide="ignore"):
        textbook = -np.log(np.sqrt(shares[0] * shares[1]).sum())
    found = []
    for kind in (BhattacharyyaDistance, HellingerDistance):
        detector = kind(num_bins=10)
        detector.fit(X=reference)
        found.append(float(detector.compare(X=sample)[0].distance))
    print(f"{name}: by the definition {textbook:.4f}; frouros {found[0]:.4f}; Hellinger squared {found[1] ** 2:.4f}")
    same = same and abs(found[0] - found[1] ** 2) < 1e-9 and abs(found[0] - (1 - np.exp(-textbook))) < 1e-9
if not same:
    raise SystemExit("changed")
PYTHON
