#!/usr/bin/env bash
# Expected: the coefficient of variation among pyfeats' first order statistics is the standard deviation divided by the mean, 0 for an
# image of one value, and the entropy among its local binary patterns is that of their histogram, 0 or more.
# Happens: it takes the root of the median for the standard deviation: an image of 100 varies by 0.1 and one of ones by 1, and one of 0 and
# 200 by 0.1 as well, where it is 1. The entropy is summed over the numbers of the patterns, and is negative for every image.
source "$(dirname "$0")/_venv.sh" pyfeats==1.0.1 numpy==2.4.6 opencv-python==5.0.0.93 scikit-image==0.26.0 scipy==1.17.1 mahotas==1.4.19 PyWavelets==1.9.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import pyfeats

print("pyfeats", importlib.metadata.version("pyfeats"))
stripes = np.where(np.arange(64) % 2, 200, 0)
images = {
    "all 100": np.full((64, 64), 100), "all 1": np.full((64, 64), 1), "0 and 200": np.tile(stripes, (64, 1)),
    "noise": np.random.default_rng(0).integers(0, 256, (64, 64)),
}
variation, entropy = {}, {}
for name, image in images.items():
    values, labels = pyfeats.fos(image, None)
    variation[name] = float(dict(zip(labels, values))["FOS_CoefficientOfVariation"])
    values, labels = pyfeats.lbp_features(image.astype(np.uint8), None)
    entropy[name] = float(dict(zip(labels, values))["LBP_R_1_P_8_entropy"])
    rightly = image.std() / image.mean()
    print(f"{name}: coefficient of variation {variation[name]:.2f}, is {rightly:.2f}; entropy of the patterns {entropy[name]:.2f}")
if not (variation["all 100"] > 0.09 and variation["all 1"] > 0.9 and variation["0 and 200"] < 0.2 and max(entropy.values()) < 0):
    raise SystemExit("changed")
PYTHON
