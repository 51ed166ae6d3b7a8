#!/usr/bin/env bash
# Expected: `prune.l1_unstructured` prunes a layer under `weight_norm`, or says that it cannot; an in-place change of
# such a layer's weight lasts or raises.
# Happens: pruning raises a TypeError about `weight_orig` that names neither; an in-place change passes silently and
# the next pass does not see it.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
from torch.nn.utils import parametrizations, prune

print("torch", torch.__version__)
layer = parametrizations.weight_norm(torch.nn.Linear(4, 4, bias=False))
before = layer(torch.ones(1, 4))
with torch.no_grad():
    layer.weight.zero_()
undone = torch.equal(layer(torch.ones(1, 4)), before)
print(f"weight zeroed in place: the answers are unchanged: {undone}")
try:
    prune.l1_unstructured(layer, "weight", 0.5)
except TypeError as error:
    print("pruning raises TypeError:", error)
else:
    raise SystemExit("changed: it is pruned")
if not undone:
    raise SystemExit("changed: the change lasts")
PYTHON
