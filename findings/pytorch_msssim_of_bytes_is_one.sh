#!/usr/bin/env bash
# Expected: SSIM of images in uint8, for which its data range of 255 is made, is that of the same images as floats, or an error.
# Happens: `pytorch_msssim.ssim` of bytes is 1, whatever the images are: black and white count as the same image. The window that
# averages is cast to uint8, where each of its weights is 0.
source "$(dirname "$0")/_venv.sh" pytorch-msssim==1.0.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" -W error - <<'PYTHON'
import importlib.metadata

import torch
from pytorch_msssim import ssim

print("pytorch-msssim", importlib.metadata.version("pytorch-msssim"))
black = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
noise = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
found = {}
for name, one, other in (("black and white", black, 255 - black), ("an image and its negative", noise, 255 - noise)):
    found[name] = float(ssim(one, other)), float(ssim(one.float(), other.float()))
    print(f"{name}: SSIM is {found[name][0]:.4f} of bytes and {found[name][1]:.4f} of floats")
if not all(of_bytes == 1 and of_floats < 0.1 for of_bytes, of_floats in found.values()):
    raise SystemExit("changed")
PYTHON
