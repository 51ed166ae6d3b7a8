#!/usr/bin/env bash
# Expected: uint8 -> float16 -> uint8 with `to_dtype(scale=True)` gives the image back: float16 tells 256 levels of
# grey apart.
# Happens: white (255) comes back as black (0), in float16 and in bfloat16: 1.0 is multiplied by 255.999..., which
# these types round to 256, which wraps.
source "$(dirname "$0")/_venv.sh" torchvision==0.29.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
import torchvision
from torchvision.transforms.v2.functional import to_dtype

print("torchvision", torchvision.__version__)
white = torch.tensor([255], dtype=torch.uint8)
back = {}
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    back[dtype] = to_dtype(to_dtype(white, dtype, scale=True), torch.uint8, scale=True).item()
    print(f"255 by way of {dtype}: {back[dtype]}")
if list(back.values()) != [255, 0, 0]:
    raise SystemExit("changed")
PYTHON
