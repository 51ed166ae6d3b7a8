#!/usr/bin/env bash
# Expected: merging overlapping patches of an image, such as the predictions of a network for each of them, takes all patches into
# account, as a mean or at least with the last one on top.
# Happens: patchify's `unpatchify` goes from patch to patch by their width and never looks at those between: of 25 patches of 4 x 4 pixels
# four are used, of 2,401 of 64 x 64 in an image of 448 with a step of 8 only 49; what a network says in the others is lost.
source "$(dirname "$0")/_venv.sh" patchify==0.2.3 numpy==1.26.4
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from patchify import patchify, unpatchify

print("patchify", importlib.metadata.version("patchify"))
told = []
for size, width, step in ((8, 4, 4), (8, 4, 2), (8, 4, 1), (448, 64, 8)):
    shape = patchify(np.zeros((size, size)), (width, width), step=step).shape
    numbers = np.arange(shape[0] * shape[1]).reshape(*shape[:2], 1, 1)
    merged = unpatchify(np.broadcast_to(numbers, shape).copy(), (size, size))
    told.append((numbers.size, len(np.unique(merged))))
    print(f"{size} x {size} pixels, patches of {width} x {width}, a step of {step}: {told[-1][0]} patches, {told[-1][1]} of them in the merged image")
if told != [(4, 4), (9, 4), (25, 4), (2401, 49)]:
    raise SystemExit("changed")
PYTHON
