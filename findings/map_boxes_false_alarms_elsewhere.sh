#!/usr/bin/env bash
# Expected: `exclude_not_in_annotations`, False by default, decides whether detections in images without annotations count: if they are
# not excluded, 100 false alarms of a higher score in such images lower the average precision.
# Happens: map_boxes runs over the images that have annotations, whatever the argument says: the average precision stays 1. The same
# false alarms in an image that has an object lower it to 0.01.
source "$(dirname "$0")/_venv.sh" map-boxes==1.0.6 numpy==2.4.6 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np

with contextlib.redirect_stdout(io.StringIO()):
    from map_boxes import mean_average_precision_for_boxes

print("map-boxes", importlib.metadata.version("map-boxes"))
truth = np.array([["with", "cat", 0, 0.4, 0, 0.4]], dtype=object)
hit = ["with", "cat", 0.5, 0, 0.4, 0, 0.4]
alarms = {
    "none": [],
    "100 in images without annotations": [[f"without {each}", "cat", 0.9, 0.5, 0.9, 0.5, 0.9] for each in range(100)],
    "100 in the image with the object": [["with", "cat", 0.9, 0.5, 0.9, 0.5, 0.9]] * 100,
}
found = {}
for name, rows in alarms.items():
    detections = np.array([hit, *rows], dtype=object)
    for exclude in (False, True):
        precision, _ = mean_average_precision_for_boxes(truth, detections, exclude_not_in_annotations=exclude, verbose=False)
        found[name, exclude] = round(float(precision), 3)
    print(f"false alarms: {name}; average precision {found[name, False]}, with `exclude_not_in_annotations` {found[name, True]}")
if [found[name, False] for name in alarms] != [1.0, 1.0, 0.01]:
    raise SystemExit("changed")
PYTHON
