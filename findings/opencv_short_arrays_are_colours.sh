#!/usr/bin/env bash
# Expected: `cv2.add` of two uint8 arrays adds element by element and saturates: 250 + 10 is 255, one number.
# Happens: 1-d arrays of one to four elements count as colours: the sum is float64, not saturated, and filled up to
# four numbers; with five elements it is as expected.
source "$(dirname "$0")/_venv.sh" opencv-python-headless==5.0.0.93 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import cv2
import numpy as np

print("opencv", cv2.__version__)
sums = {}
for length in (1, 4, 5):
    sums[length] = cv2.add(np.full(length, 250, np.uint8), np.full(length, 10, np.uint8))
    print(f"{length} times 250 + 10: {sums[length].ravel().tolist()}, {sums[length].dtype}")
if sums[1].ravel().tolist() != [260, 0, 0, 0] or set(sums[5].ravel().tolist()) != {255}:
    raise SystemExit("changed")
PYTHON
