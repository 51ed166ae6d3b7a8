#!/usr/bin/env bash
# Expected: thop counts a model's operations and leaves the model as it was; it takes its counters away from a Conv2d again.
# Happens: the modules for which thop has no rule (a Flatten) keep the buffers total_ops and total_params: they are saved with the
# weights, and a strict load into the same architecture raises.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 thop==0.1.1.post2209072238 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import thop
import torch
from torch import nn

print("thop", importlib.metadata.version("thop"))


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


model = network()
before = set(model.state_dict())
thop.profile(model, (torch.zeros(1, 3, 8, 8),), verbose=False)
more = sorted(set(model.state_dict()) - before)
print(f"entries of the state dict that were not there before: {more}")
try:
    network().load_state_dict(model.state_dict())
except RuntimeError as error:
    print(f"a strict load raises {type(error).__name__}: {str(error).splitlines()[1].strip()}")
else:
    raise SystemExit("changed")
if more != ["2.total_ops", "2.total_params"]:
    raise SystemExit("changed")
PYTHON
