#!/usr/bin/env bash
# Expected: MNN.cv's functions of OpenCV's names and constants do as OpenCV does, or raise for a mode that they lack.
# Happens: `threshold` does THRESH_BINARY whichever of the five types it is given, and `resize` with INTER_CUBIC repeats pixels, as the
# nearest neighbour; there is no error and no warning. Their linear resizing agrees.
source "$(dirname "$0")/_venv.sh" mnn==3.6.1 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import cv2
import MNN.cv as mnn
import numpy as np
from MNN import expr

print("MNN", importlib.metadata.version("MNN"), "OpenCV", cv2.__version__)
row = np.array([[50, 100, 150, 250]], dtype=np.float32)
agree = {}
for name in ("THRESH_BINARY", "THRESH_BINARY_INV", "THRESH_TRUNC", "THRESH_TOZERO", "THRESH_TOZERO_INV"):
    found = mnn.threshold(expr.const(row, [1, 4], expr.NHWC, expr.float), 100.0, 200.0, getattr(mnn, name)).read().ravel()
    truth = cv2.threshold(row, 100, 200, getattr(cv2, name))[1].ravel()
    agree[name] = bool(np.array_equal(found, truth))
    print(f"{name}: MNN {found.tolist()}, OpenCV {truth.tolist()}")
ramp = np.arange(0, 160, 10, dtype=np.uint8).reshape(4, 4, 1)
for name in ("INTER_LINEAR", "INTER_CUBIC"):
    found = mnn.resize(expr.const(ramp, [4, 4, 1], expr.NHWC, expr.uint8), (8, 8), interpolation=getattr(mnn, name)).read().reshape(8, 8)
    truth = cv2.resize(ramp, (8, 8), interpolation=getattr(cv2, name))
    agree[name] = bool(np.abs(found.astype(int) - truth.astype(int)).max() <= 1)
    print(f"{name}, the first row of twice the size: MNN {found[0].tolist()}, OpenCV {truth[0].tolist()}")
if {name for name, same in agree.items() if same} != {"THRESH_BINARY", "INTER_LINEAR"}:
    raise SystemExit("changed")
PYTHON
