#!/usr/bin/env bash
# Expected: `kornia.geometry.center_crop` takes pixels as they are, as kornia's own CenterCrop and torchvision do.
# Happens: it resamples. Where the margins are odd (224 of 255, 16 of 33) the crop begins between two pixels and each value is the
# mean of four: stripes of 0 and 1 become a plain 0.5, and the mark of a pixel is blurred.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 torchvision==0.29.1 kornia==0.9.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import kornia
import torch
from torchvision.transforms.v2.functional import center_crop

print("kornia", kornia.__version__)
stripes = torch.zeros(1, 1, 33, 33)
stripes[..., ::2] = 1
ways = {
    "kornia.geometry.center_crop": kornia.geometry.center_crop(stripes, (16, 16)),
    "kornia.augmentation.CenterCrop": kornia.augmentation.CenterCrop(16)(stripes),
    "torchvision": center_crop(stripes, [16, 16]),
}
values = {name: sorted({round(value, 4) for value in crop.flatten().tolist()}) for name, crop in ways.items()}
for name, found in values.items():
    print(f"{name}: stripes of 0 and 1 have the values {found}")
if list(values.values()) != [[0.5], [0, 1], [0, 1]]:
    raise SystemExit("changed")
PYTHON
