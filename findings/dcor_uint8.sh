#!/usr/bin/env bash
# Expected: a distance correlation lies between 0 and 1 and is 1 of a variable with itself; an energy distance is not negative.
# Grey levels may be bytes, as images are.
# Happens: dcor subtracts in uint8, which wraps: the distance correlation of four bytes with themselves is in the millions, the
# energy distance of dark pixels to bright ones is negative, without an error.
source "$(dirname "$0")/_venv.sh" dcor==0.7 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import dcor
import numpy as np

print("dcor", importlib.metadata.version("dcor"))
levels, dark, bright = np.array([0, 100, 200, 250]), np.array([[0], [10]]), np.array([[250], [200]])
found = {}
for dtype in (np.float64, np.uint8):
    itself = float(dcor.distance_correlation(levels.astype(dtype), levels.astype(dtype)))
    energy = float(dcor.energy_distance(dark.astype(dtype), bright.astype(dtype)))
    found[dtype] = itself, energy
    print(f"{dtype.__name__}: distance correlation with itself {itself:.4g}, energy distance of dark to bright {energy:.4g}")
if not (abs(found[np.float64][0] - 1) < 1e-9 and found[np.uint8][0] > 1.01 and found[np.uint8][1] < 0 < found[np.float64][1]):
    raise SystemExit("changed")
PYTHON
