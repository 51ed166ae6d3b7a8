#!/usr/bin/env bash
# Expected: a picture is perfectly similar to itself: SSIM and the universal image quality index are 1.
# Happens: for two all-black images SSIM with its default data range is NaN and the universal image quality index is
# 0; scikit-image says 1.
source "$(dirname "$0")/_venv.sh" torchmetrics==1.9.0 scikit-image==0.26.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import torch
import torchmetrics
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure, universal_image_quality_index

print("torchmetrics", torchmetrics.__version__)
black = torch.zeros(1, 1, 16, 16)
similarity = structural_similarity_index_measure(black, black).item()
quality = universal_image_quality_index(black, black).item()
other = structural_similarity(np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8))
print(f"SSIM {similarity}, universal image quality index {quality}; SSIM of scikit-image {other}")
if similarity == similarity or quality != 0 or other != 1:
    raise SystemExit("changed")
PYTHON
