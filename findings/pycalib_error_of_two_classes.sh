#!/usr/bin/env bash
# Expected: the calibration error of a calibrated classifier of two classes is about 0, as that of one of three; a classifier that is
# sure and always wrong has an error of 1, however many bins there are.
# Happens: pycalib's ECE, as it is called by default, pairs n labels of two classes with the first n of 2 n probabilities, those of
# other samples: 0.13. With 6, 14 or 24 bins the last one ends just below 1, so that sure and wrong answers count nowhere: 0.
source "$(dirname "$0")/_venv.sh" pycalib==0.1.0.dev6 scikit-learn==1.9.1 statsmodels==0.15.0 scipy==1.17.1 pandas==3.1.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from pycalib.metrics import ECE, MCE, classwise_ECE, conf_ECE

print("pycalib", importlib.metadata.version("pycalib"))
rng = np.random.default_rng(0)
errors = {}
for count in (2, 3):
    answers = rng.dirichlet([1] * count, 4000)
    labels = (answers.cumsum(1) < rng.uniform(size=(4000, 1))).sum(1)
    errors[count] = ECE(labels, answers)
    classwise = classwise_ECE(np.eye(count)[labels], answers)
    print(f"calibrated, {count} classes: ECE {errors[count]:.3f}, classwise_ECE {classwise:.3f}")
sure, wrong = np.array([[0.0, 1.0, 0.0]] * 10), np.zeros(10, int)
none = [bins for bins in range(2, 31) if conf_ECE(wrong, sure, bins=bins) == MCE(wrong, sure, bins=bins) == 0]
print(f"sure and always wrong: conf_ECE {conf_ECE(wrong, sure):.1f} by default, 0 with {none} bins")
if not (errors[2] > 0.1 > 0.02 > errors[3] and {6, 14, 24} <= set(none)):
    raise SystemExit("changed")
PYTHON
