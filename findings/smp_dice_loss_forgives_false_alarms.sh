#!/usr/bin/env bash
# Expected: the Dice loss of segmentation_models_pytorch is 1 for an answer that is wrong in every pixel and 0 for one that is right, as
# MONAI's and kornia's are.
# Happens: a class without a true pixel counts 0, whatever the answer: on an image without the organ, "all organ" costs as little as
# "none". In a task of 3 classes an answer that is wrong everywhere costs 0.33, since the mean is over all three nevertheless.
source "$(dirname "$0")/_venv.sh" segmentation-models-pytorch==0.6.0 monai==1.6.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import monai
import segmentation_models_pytorch
import torch
from segmentation_models_pytorch.losses import DiceLoss

print("segmentation-models-pytorch", segmentation_models_pytorch.__version__, "monai", monai.__version__)
empty, sure = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 30.0)
other = monai.losses.DiceLoss(sigmoid=True)
found = {}
for name, scores in (("none", -sure), ("all organ", sure)):
    found[name] = round(float(DiceLoss("binary")(scores, empty)), 3)
    print(f"no organ, the answer is {name}: the loss is {found[name]}, MONAI's {float(other(scores, empty)):.3f}")
truth = torch.zeros(1, 8, 8, dtype=torch.int64)
for classes in (3, 10):
    scores = torch.full((1, classes, 8, 8), -30.0)
    scores[:, 1] = 30
    found[classes] = round(float(DiceLoss("multiclass")(scores, truth)), 3)
    print(f"{classes} classes, all pixels wrong: the loss is {found[classes]}")
if found != {"none": 0.0, "all organ": 0.0, 3: 0.333, 10: 0.1}:
    raise SystemExit("changed")
PYTHON
