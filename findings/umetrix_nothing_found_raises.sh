#!/usr/bin/env bash
# Expected: over a batch of images, one in which no object is found adds its objects to the false negatives; the list of results that one
# asks about stays as long as it was; an object found 3 pixels beside its place has a localisation error of 3.
# Happens: umetrix raises TypeError where one image has matches and another has none ("can only concatenate list (not tuple)"), takes the
# first result out of the caller's list, and gives an error of 9 (the square). By default a mask of the whole image finds a cell: Jaccard 1.
source "$(dirname "$0")/_venv.sh" umetrix==0.2.0 scikit-image==0.26.0 scikit-learn==1.9.1 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import umetrix
from umetrix.core import MetricResults

print("umetrix", importlib.metadata.version("umetrix"))
cell = np.zeros((40, 40), "uint8")
cell[5:10, 5:10] = 1
results = [umetrix.calculate(cell, cell).results for _ in range(3)]
merged = MetricResults.merge(results)
print(f"three images, all found: {merged.n_true_positives} of {merged.n_true_labels}; the list of 3 results has {len(results)} afterwards")
try:
    found = f"{MetricResults.merge([umetrix.calculate(cell, cell).results, umetrix.calculate(cell, 0 * cell).results]).n_true_positives} of 2"
except TypeError as error:
    found = f"TypeError: {error}"
print(f"one found and one missed: {found}")
beside = umetrix.calculate(cell, np.roll(cell, 3, 1)).results.localization_error
everything = umetrix.calculate(cell, np.ones_like(cell)).results
print(f"found 3 pixels beside: error {float(beside)}")
print(f"a mask of the whole image: Jaccard {everything.Jaccard}, IoU {float(everything.IoU):.3f}")
if len(results) != 2 or not found.startswith("TypeError") or beside != 9 or everything.Jaccard != 1:
    raise SystemExit("changed")
PYTHON
