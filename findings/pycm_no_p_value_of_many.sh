#!/usr/bin/env bash
# Expected: pycm's P-Value, whether the accuracy is above the share of the largest class, is known the better the more samples there are.
# Happens: it multiplies binomial coefficients and floats, so that from 1,030 samples on a coefficient is too large for a float and the
# p-value is the text "None"; and it takes a sum from 1, so that a p of 7e-88 is 2e-16. Where most are wrong it goes on for longer.
source "$(dirname "$0")/_venv.sh" pycm==4.6 art==6.5 numpy==2.4.6 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

from pycm import ConfusionMatrix
from scipy.stats import binom

print("pycm", importlib.metadata.version("pycm"))
found = {}
for samples in (100, 500, 1029, 1030, 10000):
    truth = [row % 2 for row in range(samples)]
    answers = [1 - label if row % 10 < 2 else label for row, label in enumerate(truth)]
    matrix = ConfusionMatrix(truth, answers)
    right = sum(label == answer for label, answer in zip(truth, answers))
    found[samples] = matrix.PValue
    print(f"{samples} samples, {right} of them right: P-Value {matrix.PValue!r}, by scipy {binom.sf(right - 1, samples, matrix.NIR):.2g}")
if not (0 < found[100] < 1e-8 and 0 <= found[1029] < 1e-10 and found[1030] == "None" and found[10000] == "None"):
    raise SystemExit("changed")
PYTHON
