#!/usr/bin/env bash
# Expected: batchgenerators' Rician noise is that of magnetic resonance images, where it makes the black background positive; Gaussian
# noise with `noise_variance=(4, 4)` has a variance of 4.
# Happens: the result is multiplied with the sign of the image, which is 0 where the image is 0: the background stays 0 in every pixel,
# and that of 0.000001 gets a mean of 0.25. The variance is taken for the standard deviation: 4 gives 16, and 0.01 gives 0.0001.
source "$(dirname "$0")/_venv.sh" batchgenerators==0.25.5 numpy==2.4.6 scipy==1.17.1 scikit-image==0.26.0 scikit-learn==1.9.1 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from batchgenerators.transforms.noise_transforms import GaussianNoiseTransform, RicianNoiseTransform

print("batchgenerators", importlib.metadata.version("batchgenerators"))
np.random.seed(0)
rician = {}
for black in (0.0, 1e-6):
    image = np.full((1, 1, 200, 200), black)
    image[..., 100:] = 1
    noisy = RicianNoiseTransform(noise_variance=(0.2, 0.2))(data=image)["data"]
    rician[black] = float(noisy[..., :100].mean())
    print(f"Rician noise: a background of {black} has a mean of {rician[black]:.2f}, a foreground of 1 deviates by {noisy[..., 100:].std():.2f}")
gaussian = {}
for variance in (0.01, 1, 4):
    noisy = GaussianNoiseTransform(noise_variance=(variance, variance))(data=np.zeros((1, 1, 200, 200)))["data"]
    gaussian[variance] = float(noisy.var())
    print(f"Gaussian noise with a variance of {variance}: {gaussian[variance]:.4f}")
if not (rician[0.0] == 0 and rician[1e-6] > 0.2 and abs(gaussian[4] - 16) < 1 and gaussian[0.01] < 0.0002):
    raise SystemExit("changed")
PYTHON
