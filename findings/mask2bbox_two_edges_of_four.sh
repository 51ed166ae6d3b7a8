#!/usr/bin/env bash
# Expected: `remove_from_edge` of mask2bbox removes the cells that touch the edge of the image, at all four sides; `filter` by the ratio of
# the sides keeps the cells whose ratio is asked for.
# Happens: the last row and column of a box are part of it, and are compared with the number of rows and columns: cells at the lower
# and the right edge stay. By the ratio, `filter` compares the second cell's number and ratio: of two such cells among five it answers one.
source "$(dirname "$0")/_venv.sh" mask2bbox==0.0.28 scikit-image==0.26.0 matplotlib==3.11.2 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from mask2bbox._bboxes import BBoxes
from skimage import io

print("mask2bbox", importlib.metadata.version("mask2bbox"))
mask = np.zeros((20, 20), "uint8")
places = {"upper edge": (0, 8), "lower edge": (17, 8), "left edge": (8, 0), "right edge": (8, 17), "middle": (8, 8)}
for number, (row, column) in enumerate(places.values(), 1):
    mask[row : row + 3, column : column + 3] = number
io.imsave("cells.png", mask, check_contrast=False)
cells = BBoxes.from_mask("cells.png")
left = [list(places)[number - 1] for number in cells.remove_from_edge().identities().tolist()]
print(f"cells left after remove_from_edge: {left}")
mask = np.zeros((40, 40), "uint8")
for number in range(1, 6):
    mask[2 + 7 * number : 5 + 7 * number, 3 : 6 + 3 * (number in (2, 4))] = number
io.imsave("long.png", mask, check_contrast=False)
cells = BBoxes.from_mask("long.png")
sides = cells.get_sides()[:, 1:] + 1
square = cells.filter("ratio", np.less, 1).identities().tolist()
print(f"rows and columns of five cells: {sides.tolist()}; wider than high by `filter`: {square}, by the sides: [2, 4]")
if left != ["lower edge", "right edge", "middle"] or square == [2, 4]:
    raise SystemExit("changed")
PYTHON
