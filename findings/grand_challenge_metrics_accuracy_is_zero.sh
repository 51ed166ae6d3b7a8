#!/usr/bin/env bash
# Expected: the accuracy of each class in a confusion matrix with 99 of 100 right is 0.99, as by scikit-learn; a Jaccard index of 0.5 is a
# Dice coefficient of 0.667, given as one number ("1 or N Jaccard values") as well as in an array.
# Happens: grand-challenge-metrics divides by `//`: the accuracy is 0 for every class until not one of the cases is wrong, then 1; among
# three classes it is 1 for one that was never confused. One number for the Dice coefficient raises TypeError.
source "$(dirname "$0")/_venv.sh" grand-challenge-metrics==0.6.0 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from grand_challenge_metrics.stats import accuracies_from_confusion_matrix, calculate_confusion_matrix, jaccard_to_dice
from sklearn.metrics import accuracy_score

print("grand-challenge-metrics", importlib.metadata.version("grand-challenge-metrics"))
truth = np.repeat([0, 1, 2], [50, 30, 20])
told = []
for wrong in (30, 1, 0):
    found = truth.copy()
    found[:wrong] = 1
    matrix = calculate_confusion_matrix(truth, found, [0, 1, 2])
    told.append(accuracies_from_confusion_matrix(matrix).tolist())
    right = [accuracy_score(truth == label, found == label) for label in (0, 1, 2)]
    print(f"{wrong} of 100 wrong: accuracies of three classes {told[-1]}, by scikit-learn {right}")
try:
    one = str(jaccard_to_dice(0.5))
except TypeError as error:
    one = f"TypeError: {error}"
print(f"Dice of an array: {jaccard_to_dice(np.array([0.5])).round(3).tolist()}; of one number: {one}")
if told != [[0, 0, 1], [0, 0, 1], [1, 1, 1]] or not one.startswith("TypeError"):
    raise SystemExit("changed")
PYTHON
