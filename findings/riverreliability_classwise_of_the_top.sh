#!/usr/bin/env bash
# Expected: `class_wise_error`, "as proposed by Kull (2019)", asks of each class how often it is right in all samples, so that a model
# whose first class is calibrated and whose second and third are swapped is told apart from a calibrated one.
# Happens: riverreliability asks of a class in the samples only for which the model names it: both have 0.012. A class that does not occur
# shifts the others, so that the wrong column is read: another calibrated model has 0.38.
source "$(dirname "$0")/_venv.sh" numpy==1.23.5 scipy==1.10.1 scikit-learn==1.2.2 pandas==1.5.3 matplotlib==3.7.5
"$venv/bin/pip" install --quiet --no-deps riverreliability==0.1.2 # it asks for a package "sklearn" that is no more
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from riverreliability.metrics import class_wise_error, ece

print("riverreliability", importlib.metadata.version("riverreliability"))
draw = np.random.default_rng(0)
calibrated = draw.dirichlet([1, 1, 1], 20000)
truth = (draw.random((20000, 1)) > calibrated.cumsum(1)).sum(1)
order, rows = np.argsort(calibrated, 1), np.arange(20000)
swapped = calibrated.copy()
swapped[rows, order[:, 0]], swapped[rows, order[:, 1]] = calibrated[rows, order[:, 1]], calibrated[rows, order[:, 0]]


def by_definition(scores, labels):
    """Kull's error: the mean over classes of the calibration error of that class against all others, in ten bins."""
    errors = []
    for number, column in enumerate(scores.T):
        bins = np.minimum((column * 10).astype(int), 9)
        errors.append(sum((bins == each).mean() * abs((column - (labels == number))[bins == each].mean()) for each in np.unique(bins)))
    return float(np.mean(errors))


share = draw.random(20000)
gap = np.stack([share, np.zeros(20000), 1 - share], 1)
told = {}
for name, scores, labels in (
    ("calibrated", calibrated, truth),
    ("second and third swapped", swapped, truth),
    ("calibrated, class 1 never occurs", gap, np.where(draw.random(20000) < share, 0, 2)),
):
    told[name] = [round(float(each), 3) for each in (class_wise_error(scores, scores.argmax(1), labels, ece, bins=10), by_definition(scores, labels))]
    print(f"{name}: class_wise_error {told[name][0]}, by the definition {told[name][1]}")
if told["calibrated"][0] != told["second and third swapped"][0] or not told["second and third swapped"][1] > 0.08:
    raise SystemExit("changed")
if not (told["calibrated, class 1 never occurs"][0] > 0.3 and told["calibrated, class 1 never occurs"][1] < 0.02):
    raise SystemExit("changed")
PYTHON
