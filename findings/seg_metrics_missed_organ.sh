#!/usr/bin/env bash
# Expected: where a model finds nothing of an organ, its distance to the truth is infinite, nan or refused; 0 is the distance of
# a perfect model. The volume similarity of a model without an error is 0.
# Happens: seg_metrics gives Hausdorff's distance, that of 95% and the mean surface distance as 0 for an organ that is missed
# entirely, better than off by one voxel, so that means over patients improve; where truth and answer are both empty, "vs" is 1.
source "$(dirname "$0")/_venv.sh" seg_metrics==1.2.8 SimpleITK==2.5.7 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import numpy as np
from seg_metrics.seg_metrics import write_metrics

print("seg_metrics", importlib.metadata.version("seg_metrics"))
organ = np.zeros((12, 12, 12), np.uint8)
organ[3:6, 3:6, 3:6] = 1
told = {}
cases = {"found": (organ, organ), "off by one voxel": (organ, np.roll(organ, 1, 0)), "missed": (organ, organ * 0), "neither": (organ * 0,) * 2}
for name, (truth, found) in cases.items():
    metrics = write_metrics(labels=[1], gdth_img=truth, pred_img=found)[0]
    told[name] = {each: round(float(metrics[each][0]), 2) for each in ("dice", "hd", "hd95", "msd", "vs")}
    print(f"{name}: {told[name]}")
missed = told["missed"]
if not (missed["dice"] == missed["hd"] == missed["hd95"] == missed["msd"] == 0 < told["off by one voxel"]["hd"] and told["neither"]["vs"] == 1):
    raise SystemExit("changed")
PYTHON
