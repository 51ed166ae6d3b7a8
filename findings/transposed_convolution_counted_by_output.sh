#!/usr/bin/env bash
# Expected: counters of multiplications agree on a transposed convolution: each input pixel is multiplied with the kernel once, so
# that a stride changes the size of the output and not their number.
# Happens: torch-pruning and torchinfo count the kernel for each output pixel, as in a plain convolution: 4.5 times too much with
# a stride of 2, on 8 x 8 pixels. ptflops, fvcore and torch's own counter have it right.
source "$(dirname "$0")/_venv.sh" torch-pruning==1.6.1 torchinfo==1.8.0 ptflops==0.7.5 fvcore==0.1.5.post20221221 \
    torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import ptflops
import torch
import torch_pruning
import torchinfo
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode

names = ("torch-pruning", "torchinfo", "ptflops", "fvcore")
print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in names))
example = torch.zeros(1, 4, 8, 8)
times = {}
for stride in (1, 2, 4):
    layer = torch.nn.ConvTranspose2d(4, 8, 3, stride=stride, bias=False)
    model = torch.nn.Sequential(layer)
    with FlopCounterMode(display=False) as counter:
        model(example)
    truth = 8 * 8 * layer.weight.numel()
    found = {
        "torch-pruning": torch_pruning.utils.count_ops_and_params(model, example)[0],
        "torchinfo": torchinfo.summary(model, (1, 4, 8, 8), verbose=0).total_mult_adds,
        "ptflops": ptflops.get_model_complexity_info(model, (4, 8, 8), as_strings=False, print_per_layer_stat=False)[0],
        "fvcore": FlopCountAnalysis(model, example).total(),
        "torch": counter.get_total_flops() / 2,
    }
    times[stride] = {name: round(count / truth, 2) for name, count in found.items()}
    print(f"stride {stride}: {truth:,} multiplications; counted, in multiples of it: {times[stride]}")
if {name for name, share in times[2].items() if share != 1} != {"torch-pruning", "torchinfo"}:
    raise SystemExit("changed")
if not times[2]["torch-pruning"] == times[2]["torchinfo"] == 4.52:
    raise SystemExit("changed")
PYTHON
