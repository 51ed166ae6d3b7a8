#!/usr/bin/env bash
# Expected: what stands in a label field goes along with its box and is not computed with: classes and the numbers of annotations,
# which COCO counts up to 900 thousand million, come back as they were.
# Happens: a field of numbers goes through 32-bit floats: 123456789 comes back as 123456792.0, 16777217 as 16777216 in an int64
# array, and True as 1.0; names come back unchanged.
source "$(dirname "$0")/_venv.sh" albumentations==2.0.8 opencv-python-headless==5.0.0.93 scipy==1.17.1 numpy==2.4.6
NO_ALBUMENTATIONS_UPDATE=1 "$venv/bin/python" -W ignore - <<'PYTHON'
import albumentations
import numpy as np

print("albumentations", albumentations.__version__)
told = []
for numbers in ([1, 123456789], np.array([1, 16777217]), [True, False], ["1", "123456789"]):
    boxes = albumentations.BboxParams(format="pascal_voc", label_fields=["numbers"])
    flip = albumentations.Compose([albumentations.HorizontalFlip(p=1)], bbox_params=boxes)
    back = flip(image=np.zeros((32, 32, 3), np.uint8), bboxes=[[1, 1, 9, 9], [2, 2, 9, 9]], numbers=numbers)["numbers"]
    told.append(repr(list(back)) if isinstance(back, list) else repr(back))
    print(f"{numbers!r} comes back as {told[-1]}")
if told != ["[1.0, 123456792.0]", "array([       1, 16777216])", "[1.0, 0.0]", "['1', '123456789']"]:
    raise SystemExit("changed")
PYTHON
