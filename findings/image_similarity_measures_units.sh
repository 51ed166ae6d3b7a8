#!/usr/bin/env bash
# Expected: a signal-to-error ratio in decibels does not depend on the unit in which both images are given, nor on their size; an
# image is as similar to itself as can be, and more than to its negative.
# Happens: `sre` divides the squared mean by an error that is not squared: in units ten times larger it is 10 dB more, for four copies
# of the same pair side by side 3 dB more. `issm` of an 8-bit image is 0 with itself, with a noisy copy and with its negative.
source "$(dirname "$0")/_venv.sh" image-similarity-measures==0.3.6 opencv-python==4.11.0.86 numpy==1.24.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from image_similarity_measures.quality_metrics import issm, sre
from skimage.data import astronaut

print("image-similarity-measures", importlib.metadata.version("image-similarity-measures"))
image = astronaut()[:128, :128]
noise = np.random.default_rng(0).integers(-5, 6, image.shape)
noisy = np.clip(image + noise, 0, 255).astype(np.uint8)
one, other = image.astype(float), noisy.astype(float)
ratios = [float(sre(one, other)), float(sre(10 * one, 10 * other)), float(sre(np.tile(one, (2, 2, 1)), np.tile(other, (2, 2, 1))))]
print(f"sre: {ratios[0]:.1f}, in units ten times larger {ratios[1]:.1f}, of four copies {ratios[2]:.1f}")
similar = [float(issm(image, image)), float(issm(image, noisy)), float(issm(image, 255 - image))]
print(f"issm with itself, a noisy copy and its negative: {similar}")
if not (abs(ratios[1] - ratios[0] - 10) < 0.01 and abs(ratios[2] - ratios[0] - 3.01) < 0.01 and similar == [0, 0, 0]):
    raise SystemExit("changed")
PYTHON
