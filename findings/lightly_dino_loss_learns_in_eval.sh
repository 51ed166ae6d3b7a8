#!/usr/bin/env bash
# Expected: a module in eval mode answers the same question twice alike and learns nothing from it, as batch normalisation and lightly's
# other losses do: a validation loss may be computed between two epochs.
# Happens: DINOLoss moves its centre with each call, in eval mode and without gradients too: the same views have another loss the
# second time, and what training goes on with has seen the validation images.
source "$(dirname "$0")/_venv.sh" lightly==1.6.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
from lightly import loss

print("lightly", importlib.metadata.version("lightly"))
torch.manual_seed(0)
views = [torch.randn(8, 16) + 2 for _ in range(2)]
alike = {}
for name, made, asked in (
    ("NTXentLoss", loss.NTXentLoss(), views),
    ("VICRegLoss", loss.VICRegLoss(), views),
    ("BarlowTwinsLoss", loss.BarlowTwinsLoss(), views),
    ("DINOLoss", loss.DINOLoss(output_dim=16), (views, views)),
):
    made.eval()
    extra = {"epoch": 50} if name == "DINOLoss" else {}
    with torch.no_grad():
        values = [round(float(made(*asked, **extra)), 4) for _ in range(3)]
    alike[name] = len(set(values)) == 1
    print(f"{name}, in eval mode, of the same views three times: {values}")
if alike != {"NTXentLoss": True, "VICRegLoss": True, "BarlowTwinsLoss": True, "DINOLoss": False}:
    raise SystemExit("changed")
PYTHON
