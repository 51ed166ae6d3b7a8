#!/usr/bin/env bash
# Expected: layer-wise relevance propagation keeps what it shares out: the relevances of a sample sum to the score, of a model that
# is one Linear as of one that holds it.
# Happens: of a bare Linear, without bias, captum's LRP answers something else without an error or a warning; the same layer in a
# Sequential has its relevances, input times weight, exactly.
source "$(dirname "$0")/_venv.sh" captum==0.9.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import torch
from captum.attr import LRP, InputXGradient

print("captum", importlib.metadata.version("captum"))
torch.manual_seed(0)
layer, samples = torch.nn.Linear(4, 3, bias=False), torch.rand(2, 4)
scores = layer(samples)[:, 1].detach()
off = {}
for name, kind, model in (
    ("LRP, bare", LRP, layer),
    ("LRP, in a Sequential", LRP, torch.nn.Sequential(layer)),
    ("InputXGradient, bare", InputXGradient, layer),
):
    sums = kind(model).attribute(samples.clone(), target=1).detach().sum(1)
    off[name] = float((sums - scores).abs().max())
    shown = [[round(value, 3) for value in each.tolist()] for each in (sums, scores)]
    print(f"{name}: the relevances sum to {shown[0]}, the scores are {shown[1]}")
if not off["LRP, bare"] > 0.05 or max(list(off.values())[1:]) > 1e-5:
    raise SystemExit("changed")
PYTHON
