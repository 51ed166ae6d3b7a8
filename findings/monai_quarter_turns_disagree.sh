#!/usr/bin/env bash
# Expected: MONAI's Rotate by a quarter of a turn and its Rotate90 turn an image the same way, as torchvision's and kornia's rotations
# by 90 degrees and `torch.rot90` do.
# Happens: they turn opposite ways: after `Rotate90()` it takes `Rotate(pi / 2)` to have the image back. RandRotate turns as Rotate
# does.
source "$(dirname "$0")/_venv.sh" monai==1.6.1 kornia==0.9.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import math

import kornia
import monai
import torch
import torchvision
from monai.transforms import RandRotate, Rotate, Rotate90

print("MONAI", monai.__version__, "kornia", kornia.__version__, "torchvision", torchvision.__version__)
image = torch.rand(1, 9, 9, generator=torch.Generator().manual_seed(0))
turns = {
    "MONAI, Rotate90": Rotate90()(image),
    "MONAI, Rotate": Rotate(math.pi / 2)(image),
    "MONAI, RandRotate": RandRotate(range_x=(math.pi / 2, math.pi / 2), prob=1)(image),
    "kornia, rotate": kornia.geometry.rotate(image[None], torch.tensor([90.0]))[0],
    "torchvision, rotate": torchvision.transforms.functional.rotate(image, 90),
}
found = {}
for name, turned in turns.items():
    found[name] = [k for k in (1, 3) if torch.allclose(torch.as_tensor(turned), image.rot90(k, (1, 2)), atol=1e-4)]
    print(f"{name}: torch.rot90 by {found[name]}")
wanted = {"MONAI, Rotate": [3], "MONAI, RandRotate": [3]}
if found != {name: wanted.get(name, [1]) for name in turns}:
    raise SystemExit("changed")
back = Rotate(math.pi / 2)(Rotate90()(image))
print("Rotate(pi / 2) of Rotate90() gives the image back:", bool(torch.allclose(torch.as_tensor(back), image, atol=1e-4)))
PYTHON
