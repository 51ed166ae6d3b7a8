#!/usr/bin/env bash
# Expected: the universal image quality index of two images that have nothing in common is about 0, and that of an image and its
# negative about -1, as the covariance is a factor of it.
# Happens: sewar takes means where the formula has sums over the window, so that most of the brightness remains in the covariance and in
# the variances: two images of noise have 0.74, noise and its negative 0.49. By the formula, with the same window, it is 0.00 and -0.99.
source "$(dirname "$0")/_venv.sh" sewar==0.4.10 numpy==2.4.6 scipy==1.17.1 pillow==13.0.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from scipy.ndimage import uniform_filter
from sewar import uqi

print("sewar", importlib.metadata.version("sewar"))


def formula(one, other):
    """The mean over all 8 x 8 windows of 4 cov(x, y) mean(x) mean(y) / ((var(x) + var(y)) (mean(x)^2 + mean(y)^2))."""
    x, y = one.astype(float), other.astype(float)
    mean_x, mean_y, xx, yy, xy = (uniform_filter(each, 8) for each in (x, y, x * x, y * y, x * y))
    spread = xx - mean_x**2 + yy - mean_y**2
    return float((4 * (xy - mean_x * mean_y) * mean_x * mean_y / (spread * (mean_x**2 + mean_y**2)))[4:-4, 4:-4].mean())


rng = np.random.default_rng(0)
noise, other = rng.integers(0, 256, (2, 128, 128)).astype(np.uint8)
pairs = {"noise and other noise": (noise, other), "noise and its negative": (noise, 255 - noise), "noise and itself": (noise, noise)}
found = {name: (float(uqi(*pair)), formula(*pair)) for name, pair in pairs.items()}
for name, (by_sewar, rightly) in found.items():
    print(f"{name}: {by_sewar:.2f}; by the formula {rightly:.2f}")
unlike, negative, same = found.values()
if not (unlike[0] > 0.6 and abs(unlike[1]) < 0.05 and negative[0] > 0.3 and negative[1] < -0.9 and min(same) > 0.999):
    raise SystemExit("changed")
PYTHON
