#!/usr/bin/env bash
# Expected: MONAI's ScaleIntensity(minv, maxv) gives an image between minv and maxv, a constant one too, as its
# ScaleIntensityRangePercentiles does.
# Happens: a constant image is multiplied by minv: of 5, for -1 to 1, it becomes -5; for 0.5 to 1 it is 2.5. With the range as it
# comes, 0 to 1, it is 0.
source "$(dirname "$0")/_venv.sh" monai==1.6.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import monai
import torch
from monai.transforms import ScaleIntensity, ScaleIntensityRangePercentiles

print("monai", monai.__version__)
constant, image = torch.full((1, 4, 4), 5.0), torch.arange(16.0).reshape(1, 4, 4)
values = {}
for low, high in ((0.0, 1.0), (-1.0, 1.0), (0.5, 1.0)):
    scaled = ScaleIntensity(minv=low, maxv=high)(image)
    values[low] = float(ScaleIntensity(minv=low, maxv=high)(constant).max())
    other = float(ScaleIntensityRangePercentiles(0, 100, low, high)(constant).max())
    print(f"{low} to {high}: an image becomes {scaled.min():.1f} to {scaled.max():.1f}, "
          f"a constant of 5 {values[low]}, by percentiles {other}")
if values != {0.0: 0.0, -1.0: -5.0, 0.5: 2.5}:
    raise SystemExit("changed")
PYTHON
