#!/usr/bin/env bash
# Expected: torch.nn.utils.prune prunes the output projection of nn.MultiheadAttention, a Linear like any other, and the
# network trains on with the pruned weights.
# Happens: the attention takes the projection's weight without running it, so the hook that applies the mask never runs: the
# second step raises a RuntimeError about a second backward pass; a Linear beside it trains.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
from torch import nn
from torch.nn.utils import prune


def steps(layer, forward, parameters):
    prune.l1_unstructured(layer, "weight", amount=0.5)
    optimiser = torch.optim.SGD(parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        forward().square().sum().backward()
        optimiser.step()


print("torch", torch.__version__)
rows = torch.randn(2, 3, 8)
linear = nn.Linear(8, 8)
steps(linear, lambda: linear(rows), linear.parameters)
attention = nn.MultiheadAttention(8, 2, batch_first=True)
try:
    steps(attention.out_proj, lambda: attention(rows, rows, rows)[0], attention.parameters)
except RuntimeError as error:
    print("a Linear trains; out_proj raises RuntimeError:", str(error).split(" (")[0])
else:
    raise SystemExit("changed: a pruned attention trains")
PYTHON
