#!/usr/bin/env bash
# Expected: an average precision sorts the detections by their scores, so that a false alarm of the lowest score costs a detector
# nothing where all is found before it; boxes in parts of the image (0 to 1) that have no point in common do not overlap.
# Happens: mapcalc takes the detections in the order of their list and never reads `scores`: the order alone decides between 1 and
# 0.67. It counts a box's last pixel as well (+ 1), so that two boxes apart, in parts of the image, overlap by 0.5 and are a hit.
source "$(dirname "$0")/_venv.sh" mapcalc==0.2.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

from mapcalc import calculate_map

print("mapcalc", importlib.metadata.version("mapcalc"))
truth = {"boxes": [[10, 10, 20, 20], [50, 50, 60, 60]], "labels": [1, 1]}
right, alarm = [[10, 10, 20, 20], [50, 50, 60, 60]], [[100, 100, 120, 120]]
told = {}
for name, boxes, scores in (
    ("false alarm first, score 0.1", alarm + right, [0.1, 0.9, 0.8]),
    ("false alarm first, score 0.95", alarm + right, [0.95, 0.9, 0.8]),
    ("false alarm last, score 0.95", right + alarm, [0.9, 0.8, 0.95]),
):
    told[name] = round(float(calculate_map(truth, {"boxes": boxes, "labels": [1, 1, 1], "scores": scores}, 0.5)), 3)
    print(f"{name}: {told[name]}")
apart = calculate_map({"boxes": [[0.1, 0.1, 0.2, 0.2]], "labels": [1]}, {"boxes": [[0.3, 0.3, 0.4, 0.4]], "labels": [1], "scores": [0.9]}, 0.5)
print(f"two boxes apart, in parts of the image: {float(apart)}")
if list(told.values()) != [0.667, 0.667, 1] or apart != 1:
    raise SystemExit("changed")
PYTHON
