#!/usr/bin/env bash
# Expected: the normals of a point cloud that is flipped along one axis change the sign of that axis, so that they still stand on the
# surface; the caller's arrays stay as they were.
# Happens: volumentations takes the axis (0, 0, 1) for the columns 0, 0 and 1: along whichever axis the points are flipped, the normals
# change the signs of x and y. Flips, turns and scales write into the caller's points; a data set in memory drifts from epoch to epoch.
source "$(dirname "$0")/_venv.sh" volumentations==0.1.9 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from volumentations import Compose, Flip3d, Scale3d

print("volumentations", importlib.metadata.version("volumentations"))
told = {}
for axis in ((1, 0, 0), (0, 1, 0), (0, 0, 1)):
    points, normals = np.array([[0.0, 0, 0], [1, 2, 3]]), np.array([[1.0, 2, 3]] * 2)
    answer = Compose([Flip3d(axis=axis, p=1)])(points=points.copy(), normals=normals.copy())
    told[axis] = answer["normals"][0].tolist()
    print(f"axis {axis}: the points 0 0 0 and 1 2 3 become {answer['points'].tolist()}, the normal 1 2 3 {told[axis]}")
points = np.ones((1, 3))
scale = Compose([Scale3d(scale_limit=(0, 0, 0), bias=(1.1, 1.1, 1.1), p=1)])
seen = [float(scale(points=points)["points"][0, 0]) for _ in range(5)]
print(f"a point at 1, scaled by 1.1 in five epochs: {[round(each, 2) for each in seen]}")
if list(told.values()) != [[-1, -2, 3]] * 3 or not seen[-1] > 1.6:
    raise SystemExit("changed")
PYTHON
