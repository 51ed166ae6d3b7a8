#!/usr/bin/env bash
# Expected: `nms.boxes` "replicates the functionality of cv2.dnn.NMSBoxes": boxes of a score below `score_threshold` are left out, and a
# box goes only if it overlaps a better one by more than `nms_threshold`.
# Happens: in nms 0.1.6 all three algorithms keep a box of the score 0.01 with a threshold of 0.3. The one after OpenCV's takes a corner for
# the centre and a box inside another for the same box: it drops boxes that overlap by 0.03 and by 0.006, which OpenCV keeps.
source "$(dirname "$0")/_venv.sh" nms==0.1.6 opencv-python==5.0.0.93 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import cv2
import nms.fast
import nms.felzenszwalb
import nms.malisiewicz
import nms.nms

print("nms", importlib.metadata.version("nms"))
algorithms = {"fast": nms.fast.nms, "malisiewicz": nms.malisiewicz.nms, "felzenszwalb": nms.felzenszwalb.nms}


def kept(boxes, scores):
    told = {"OpenCV": sorted(cv2.dnn.NMSBoxes(boxes, scores, 0.3, 0.4).tolist())}
    for name, algorithm in algorithms.items():
        told[name] = sorted(int(each) for each in nms.nms.boxes(boxes, scores, algorithm, score_threshold=0.3, nms_threshold=0.4))
    return told


low = kept([(0, 0, 40, 40), (200, 200, 40, 40)], [0.9, 0.01])
inside = kept([(0, 0, 100, 100), (30, 30, 18, 18)], [0.9, 0.8])
corner = kept([(0, 0, 40, 40), (30, 30, 120, 120)], [0.9, 0.8])
print(f"scores 0.9 and 0.01, apart: {low}")
print(f"a box inside, IoU {18 * 18 / 100 / 100:.3f}: {inside}")
print(f"boxes that share a corner, IoU {100 / (1600 + 14400 - 100):.3f}: {corner}")
if any(low[name] != [0, 1] for name in algorithms) or low["OpenCV"] != [0]:
    raise SystemExit("changed")
if not (inside["OpenCV"] == corner["OpenCV"] == [0, 1] and inside["fast"] == corner["fast"] == [0]):
    raise SystemExit("changed")
PYTHON
