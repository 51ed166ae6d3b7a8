#!/usr/bin/env bash
# Expected: the key points of an image follow their pixels: one set on a bright pixel is on that pixel after each transform, and a point
# of the image is within the image.
# Happens: solt's flips move them rightly, its quarter turns do not: after `Rotate90` by 1 a point is one row below its pixel, by -1 one
# column right of it, and a corner of a 6 x 6 image has the coordinate 6, outside. Two at once, by 2, are right.
source "$(dirname "$0")/_venv.sh" solt==0.2.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import solt
from solt.core import Keypoints
from solt.transforms import Flip, Rotate90

print("solt", importlib.metadata.version("solt"))
off = {}
for name, transform in (
    ("Flip axis 0", Flip(p=1, axis=0)),
    ("Flip axis 1", Flip(p=1, axis=1)),
    ("Rotate90 by 1", Rotate90(k=1, p=1)),
    ("Rotate90 by 2", Rotate90(k=2, p=1)),
    ("Rotate90 by -1", Rotate90(k=-1, p=1)),
):
    told = []
    for column, row in ((0, 0), (5, 5), (2, 1)):
        image = np.zeros((6, 6, 1), np.uint8)
        image[row, column] = 255
        answer = solt.Stream([transform])({"image": image, "keypoints": Keypoints(np.array([[column, row]]), 6, 6)}, return_torch=False)
        pixel = np.argwhere(answer.data[0][..., 0])[0][::-1]
        told.append((pixel.tolist(), answer.data[1].data[0].astype(int).tolist()))
    (off[name],) = {(point[0] - pixel[0], point[1] - pixel[1]) for pixel, point in told}
    print(f"{name}: pixels {[pixel for pixel, _ in told]}, points {[point for _, point in told]}, off by {off[name]}")
if list(off.values()) != [(0, 0), (0, 0), (0, 1), (0, 0), (1, 0)]:
    raise SystemExit("changed")
PYTHON
