#!/usr/bin/env bash
# Expected: calibrated probabilities lie between 0 and 1, and there is one for each column that went in; a class that the calibration set
# lacks, or labels that do not begin at 0, are an error or are treated.
# Happens: VennAbersCalibrator takes the labels that it finds for the numbers of the columns: with the labels 1 and 2 for two columns
# the probabilities run from -3.3 to 4.3; of three classes of which one is missing it answers two columns, -0.1 and 1.1 in a row.
source "$(dirname "$0")/_venv.sh" venn-abers==1.5.4 numpy==2.4.6 pandas==3.1.1 scikit-learn==1.9.1 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from venn_abers import VennAbersCalibrator

print("venn-abers", importlib.metadata.version("venn-abers"))
rng = np.random.default_rng(0)
three = rng.dirichlet([1, 1, 1], 300)
labels = np.array([rng.choice(3, p=row) for row in three])
asked = rng.dirichlet([1, 1, 1], 5)
two, asked_of_two = (each[:, :2] / each[:, :2].sum(axis=1, keepdims=True) for each in (three, asked))
cases = {
    "three classes": (three, labels, asked),
    "three classes, none of class 1 in the calibration set": (three[labels != 1], labels[labels != 1], asked),
    "two classes, labels 0 and 1": (two, (labels > 0).astype(int), asked_of_two),
    "two classes, labels 1 and 2": (two, (labels > 0) + 1, asked_of_two),
}
found = {}
for name, (probabilities, each, test) in cases.items():
    found[name] = VennAbersCalibrator().predict_proba(p_cal=probabilities, y_cal=each, p_test=test)
    print(f"{name}: {found[name].shape[1]} columns, from {found[name].min():.2f} to {found[name].max():.2f}")
whole, missing, rightly, shifted = found.values()
if not (missing.shape[1] == 2 and missing.min() < 0 and shifted.min() < -1 and shifted.max() > 2 and min(whole.min(), rightly.min()) >= 0):
    raise SystemExit("changed")
PYTHON
