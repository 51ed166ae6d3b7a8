#!/usr/bin/env bash
# Expected: the box around a mask of 4 x 3 pixels is 4 wide and 3 high, as pycocotools says and as COCO's average precision needs it.
# Happens: imantics ends a box at the last pixel and counts as if it ended behind it: the annotation that it writes for COCO has an
# area of 12 and a box of 3 x 2, and the box around one pixel has the area 0.
source "$(dirname "$0")/_venv.sh" imantics==0.1.12 pycocotools==2.0.11 opencv-python-headless==5.0.0.93 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from imantics import Category, Image, Mask
from pycocotools import mask as coco

print("imantics", importlib.metadata.version("imantics"))
told = []
for rows, columns in ((slice(5, 8), slice(5, 9)), (slice(5, 6), slice(5, 6))):
    pixels = np.zeros((20, 20), bool)
    pixels[rows, columns] = True
    image = Image(np.zeros((20, 20, 3), np.uint8))
    image.add(Mask(pixels), Category("a"))
    (annotation,) = image.annotations.values()
    exported = annotation.coco(include=False)
    theirs = coco.toBbox(coco.encode(np.asfortranarray(pixels.astype(np.uint8)))).astype(int).tolist()
    told.append(([int(each) for each in exported["bbox"]], theirs))
    print(f"pixels: {pixels.sum()}; in COCO: area {exported['area']}, box {told[-1][0]}; by pycocotools {theirs}")
if told != [([5, 5, 3, 2], [5, 5, 4, 3]), ([5, 5, 0, 0], [5, 5, 1, 1])]:
    raise SystemExit("changed")
PYTHON
