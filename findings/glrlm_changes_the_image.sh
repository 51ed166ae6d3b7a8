#!/usr/bin/env bash
# Expected: asked twice about one image, texture features are the same; the "grey level uniformity" tells an image of two grey levels from
# one of eight whose runs are as long.
# Happens: glrlm writes the grey levels (0 to 7) into the caller's own image: the second time it is black all over, and the features are
# those of a black image. Its uniformity sums the squared lengths and divides by the number of runs, without a look at the levels.
source "$(dirname "$0")/_venv.sh" glrlm==0.1.0 opencv-python==5.0.0.93 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from glrlm import GLRLM

print("glrlm", importlib.metadata.version("glrlm"))


def features(image):
    return [round(float(each), 3) for each in GLRLM().get_features(image, 8).Features]


image = np.random.default_rng(0).integers(0, 256, (16, 16)).astype("uint8")
before = image.copy()
first = features(image)
between = (int(image.min()), int(image.max()))
second = features(image)
print(f"first:  {first}; the image was {before.min()} to {before.max()} and is {between[0]} to {between[1]}")
print(f"second: {second}; the image is {image.min()} to {image.max()}")
black = features(np.zeros((16, 16), "uint8"))
print(f"black:  {black}")
eight = np.arange(256).reshape(16, 16) % 8
few, many = features((eight % 2 * 255).astype("uint8")), features((eight * 36).astype("uint8"))
print(f"2 levels: uniformity {few[2]}; 8 levels: {many[2]}")
if not (first != second == black and between == (0, 7) and image.max() == 0):
    raise SystemExit("changed")
PYTHON
