#!/usr/bin/env bash
# Expected: a program that was exported with a channels-last example takes a contiguous tensor of the same shape and values, as
# torch does, or refuses it.
# Happens: it is answered without an error as if its bytes lay channels last, and the numbers are wrong.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 executorch==1.5.1
"$venv/bin/python" - 2>/dev/null <<'PYTHON'
import importlib.metadata

import torch
from executorch.exir import to_edge_transform_and_lower
from executorch.runtime import Runtime

print("executorch", importlib.metadata.version("executorch"))
torch.manual_seed(0)
model = torch.nn.Conv2d(3, 4, 3).eval()
images = torch.rand(1, 3, 8, 8)
last = images.to(memory_format=torch.channels_last)
assert torch.equal(images, last)
exported = torch.export.export(model, (last,))
program = to_edge_transform_and_lower(exported).to_executorch()
method = Runtime.get().load_program(program.buffer).load_method("forward")
away = []
for name, given in (("channels last", last), ("contiguous", images)):
    (found,) = method.execute([given])
    away.append(float((found - model(images)).abs().max()))
    print(f"the same values {name}: off by {away[-1]:.2g}; torch.export's program: "
          f"{float((exported.module()(given) - model(images)).abs().max()):.2g}")
if not away[0] < 1e-5 < 0.1 < away[1]:
    raise SystemExit("changed")
PYTHON
