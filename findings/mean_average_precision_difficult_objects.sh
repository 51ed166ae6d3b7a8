#!/usr/bin/env bash
# Expected: an object that is marked as difficult is left out of Pascal VOC's average precision: whether it is found or not, the
# detector neither gains nor loses by it. A detector that finds all of the others without a false alarm has 1.
# Happens: mean_average_precision takes difficult objects out of the hits and leaves them in the number of objects to be found: a
# perfect detector has 0.5 where one of two objects is difficult, and 0.1 where nine of ten are. Not to mark them makes it 1.
source "$(dirname "$0")/_venv.sh" mean-average-precision==2024.1.5.0 numpy==2.4.6 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from mean_average_precision import MetricBuilder

print("mean-average-precision", importlib.metadata.version("mean-average-precision"))


def perfect(objects, difficult):
    """The average precision of a detector that finds each object at its place and nothing else."""
    boxes = np.array([[100 * each, 0, 100 * each + 50, 50] for each in range(objects)], dtype=float)
    marks = (np.arange(objects) >= objects - difficult).astype(float)
    nothing, sure = np.zeros(objects), np.linspace(0.9, 0.5, objects)
    metric = MetricBuilder.build_evaluation_metric("map_2d", async_mode=False, num_classes=1)
    metric.add(np.c_[boxes, nothing, sure], np.c_[boxes, nothing, marks, nothing])
    return round(float(metric.value(iou_thresholds=0.5)["mAP"]), 3)


found = {case: perfect(*case) for case in ((2, 0), (2, 1), (10, 9))}
for (objects, difficult), precision in found.items():
    print(f"{objects} objects, {difficult} of them difficult, all of them found: {precision}")
if list(found.values()) != [1.0, 0.5, 0.1]:
    raise SystemExit("changed")
PYTHON
