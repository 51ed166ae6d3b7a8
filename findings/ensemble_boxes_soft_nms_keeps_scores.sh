#!/usr/bin/env bash
# Expected: soft non-maximum suppression lowers the scores of boxes that overlap a better one (Bodla et al. 2017), and answers the
# lowered scores: this is all that distinguishes it from taking every box.
# Happens: ensemble_boxes lowers them only in order to compare them with `thresh`, and answers the scores that it was given: two boxes
# that overlap by 0.95 keep 0.9 and 0.8, linear as well as Gaussian, and stand before a third box of 0.7 that overlaps none.
source "$(dirname "$0")/_venv.sh" ensemble-boxes==1.0.9 numba==0.68.1 pandas==3.1.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from ensemble_boxes import soft_nms

print("ensemble-boxes", importlib.metadata.version("ensemble-boxes"))
boxes = np.array([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.52, 0.5], [0.6, 0.6, 0.9, 0.9]])
scores, overlap = np.array([0.9, 0.8, 0.7]), 0.4 / 0.42
told = []
for name, method, lowered in (("linear", 1, 0.8 * (1 - overlap)), ("Gaussian", 2, 0.8 * np.exp(-(overlap**2) / 0.5))):
    answered = soft_nms([boxes], [scores.copy()], [np.zeros(3, int)], method=method, iou_thr=0.5, sigma=0.5)[1]
    told.append(sorted(answered.tolist()))
    print(f"{name}: {answered.tolist()}, by the paper 0.9, 0.7 and {lowered:.2f}")
if told != [[0.7, 0.8, 0.9]] * 2:
    raise SystemExit("changed")
PYTHON
