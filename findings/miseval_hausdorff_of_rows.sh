#!/usr/bin/env bash
# Expected: Hausdorff's distance of an object and the same object 40 rows below is 40, whatever the axis; the average Hausdorff
# distance is a mean over the outline, so that one false pixel far away hardly moves it.
# Happens: miseval's "HD" takes each row of the mask for a point: moved down by 40 rows the distance is 0, the same as to itself, and
# moved to the right it is 2.24 at any distance. Its "AHD" is no average but the maximum: one false pixel makes it 72.
source "$(dirname "$0")/_venv.sh" miseval==1.3.0 scikit-image==0.26.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from miseval import evaluate
from skimage.metrics import hausdorff_distance

print("miseval", importlib.metadata.version("miseval"))
truth = np.zeros((64, 64), int)
truth[5:10, 5:10] = 1
alarm = truth.copy()
alarm[60, 60] = 1
told = {}
for name, found in (
    ("40 rows below", np.roll(truth, 40, 0)),
    ("40 columns to the right", np.roll(truth, 40, 1)),
    ("20 columns to the right", np.roll(truth, 20, 1)),
    ("one false pixel", alarm),
):
    values = [evaluate(truth, found, metric=metric) for metric in ("HD", "AHD")] + [hausdorff_distance(truth, found)]
    told[name] = [round(float(value), 2) for value in values]
    print(f"{name}: HD {told[name][0]}, AHD {told[name][1]}, by scikit-image {told[name][2]}")
if not (
    told["40 rows below"] == [0, 40, 40]
    and told["40 columns to the right"][0] == told["20 columns to the right"][0] == 2.24
    and told["one false pixel"][1] > 70
):
    raise SystemExit("changed")
PYTHON
