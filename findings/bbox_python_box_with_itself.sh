#!/usr/bin/env bash
# Expected: the overlap (IoU) of a box with itself is 1, its corners are those that it was made from, and a box written as top, left, width
# and height is read again as the same box.
# Happens: bbox-python keeps a whole centre and halves whole sides: a box of 11 x 11 has the corners of one of 10 x 10 and overlaps with
# itself by 0.70, one of 3 x 3 by 0.29, one of a pixel by 0. `to_tlwh` answers left, top: read again, the box is transposed.
source "$(dirname "$0")/_venv.sh" bbox-python==0.1.0 pydantic==2.14.4
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

from bbox import BoundingBox
from bbox.measure import iou

print("bbox-python", importlib.metadata.version("bbox-python"))
overlaps = {}
for side in (1, 2, 3, 5, 10, 11):
    box = BoundingBox.from_xyxy(0, 0, side, side)
    overlaps[side] = round(iou(box, box), 2)
    print(f"0, 0, {side}, {side}: corners {box.to_xyxy()}, area {box.area}, overlap with itself {overlaps[side]}")
box = BoundingBox.from_tlwh(t=10, l=50, w=20, h=20)
again = BoundingBox.from_tlwh(*box.to_tlwh())
print(f"top 10, left 50: to_tlwh {box.to_tlwh()}; corners {box.to_xyxy()}, read again {again.to_xyxy()}")
if overlaps != {1: 0, 2: 1, 3: 0.29, 5: 0.47, 10: 1, 11: 0.7} or box.to_xyxy() != (50, 10, 70, 30) or again.to_xyxy() != (10, 50, 30, 70):
    raise SystemExit("changed")
PYTHON
