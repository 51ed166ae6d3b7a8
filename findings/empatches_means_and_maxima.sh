#!/usr/bin/env bash
# Expected: patches merged by `mode="avg"` have the mean of all patches that cover a pixel, and by "max" the largest value, of logits
# as of anything else: the maximum of -3 and -3 is -3.
# Happens: EMPatches halves the sum with what is there, so that of four patches the last weighs 1/2 and the first 1/8, and a 0 that is
# there counts as no patch; its "max" begins at 0: a merged image of negative values is 0 all over.
source "$(dirname "$0")/_venv.sh" empatches==0.2.3 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from empatches import EMPatches

print("empatches", importlib.metadata.version("empatches"))
told = {}
for name, image, values in (("four patches of 0, 0, 0 and 8", np.zeros((4, 7)), [0, 0, 0, 8]), ("four of 8, 0, 0, 0", np.zeros((4, 7)), [8, 0, 0, 0])):
    patches, places = EMPatches().extract_patches(image, patchsize=4, stride=1)
    merged = EMPatches().merge_patches([patch + value for patch, value in zip(patches, values, strict=True)], places, mode="avg")
    told[name] = float(merged[0, 3])
    print(f"avg of {name} at the column that all cover: {told[name]}, by numpy {np.mean(values)}")
patches, places = EMPatches().extract_patches(np.full((4, 7), -3.0), patchsize=4, stride=1)
largest = np.unique(EMPatches().merge_patches(patches, places, mode="max")).tolist()
print(f"max of patches that are -3 all over: {largest}")
if list(told.values()) != [8, 1] or largest != [0]:
    raise SystemExit("changed")
PYTHON
