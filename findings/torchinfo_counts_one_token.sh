#!/usr/bin/env bash
# Expected: the multiplications that torchinfo counts of a Linear grow with the number of tokens that it is applied to, as those of a
# 1 x 1 convolution grow with the pixels.
# Happens: only the batch counts: of 1 token and of 197 it counts the same, so that a vision transformer at 64 x 64 pixels has a
# twentieth of what fvcore, ptflops and torch's own counter find.
source "$(dirname "$0")/_venv.sh" torchinfo==1.8.0 fvcore==0.1.5.post20221221 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
import torchinfo
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18, vit_b_16

print("torchinfo", importlib.metadata.version("torchinfo"))


def counted(model, shape):
    model, example = model.eval(), torch.zeros(shape)
    with FlopCounterMode(display=False) as counter:
        model(example)
    analysis = FlopCountAnalysis(model, example).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return torchinfo.summary(model, shape, verbose=0).total_mult_adds, analysis.total(), counter.get_total_flops() // 2


cases = {
    "Linear, 1 token": (torch.nn.Linear(768, 768, bias=False), (1, 1, 768)),
    "Linear, 197 tokens": (torch.nn.Linear(768, 768, bias=False), (1, 197, 768)),
    "Conv2d, 197 pixels": (torch.nn.Conv2d(768, 768, 1, bias=False), (1, 768, 197, 1)),
    "resnet18": (resnet18(), (1, 3, 64, 64)),
    "vit_b_16": (vit_b_16(image_size=64), (1, 3, 64, 64)),
}
shares = {}
for name, (model, shape) in cases.items():
    by_torchinfo, by_fvcore, by_torch = counted(model, shape)
    shares[name] = round(by_torchinfo / by_torch, 3)
    print(f"{name}: torchinfo {by_torchinfo:,}, fvcore {by_fvcore:,}, torch {by_torch:,}")
few = {"Linear, 197 tokens", "vit_b_16"}
if any((share < 0.06) != (name in few) or (name not in few and abs(share - 1) > 0.01) for name, share in shares.items()):
    raise SystemExit("changed")
PYTHON
