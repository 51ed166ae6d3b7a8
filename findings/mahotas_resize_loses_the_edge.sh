#!/usr/bin/env bash
# Expected: a constant image is the same constant in any size, as by scipy's and scikit-image's zoom, and the largest value among
# negative ones is the largest of them.
# Happens: mahotas' `imresize`, `resize_to` and `zoom` fill the last row and the last column with 0, and leave the first ones out: a
# ramp of 0 to 15, twice as large, begins at 5. `labeled_max` begins at the smallest positive double: of -5 and -3 it is 2.2e-308.
source "$(dirname "$0")/_venv.sh" mahotas==1.4.19 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import mahotas
import numpy as np
from mahotas.interpolate import zoom
from mahotas.resize import resize_to
from scipy import ndimage

print("mahotas", mahotas.__version__)
constant = np.full((64, 64), 7.0)
told = []
for name, small in (("imresize", mahotas.imresize(constant, (8, 8))), ("resize_to", resize_to(constant, (8, 8))), ("zoom", zoom(constant, 1 / 8))):
    told.append(small[-1].any() or small[:, -1].any())
    print(f"{name} of a constant 7: first row {small[0].round(1).tolist()}, last row {small[-1].round(1).tolist()}")
print(f"by scipy: last row {ndimage.zoom(constant, 1 / 8)[-1].round(1).tolist()}")
ramp = zoom(np.arange(16.0).reshape(4, 4), 2, order=1)
print(f"a ramp of 0 to 15, twice as large: {ramp[0, 0]:.1f} to {ramp[-1, -1]:.1f}")
largest = mahotas.labeled.labeled_max(np.array([-5.0, -3.0]), np.array([0, 0]))
print(f"labeled_max of -5 and -3: {largest}")
if any(told) or ramp[0, 0] < 4 or not largest[0] > 0:
    raise SystemExit("changed")
PYTHON
