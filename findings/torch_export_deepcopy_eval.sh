#!/usr/bin/env bash
# Expected: `eval()` on an exported module raises NotImplementedError, on a deepcopy of it as well, as the program is
# frozen in the mode of its export.
# Happens: the deepcopy's `eval()` returns as if all were well and changes nothing: dropout stays on.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import copy

import torch

print("torch", torch.__version__)
model = torch.nn.Sequential(torch.nn.Linear(4, 64), torch.nn.Dropout(0.5)).train()
module = torch.export.export(model, (torch.ones(2, 4),)).module()
try:
    module.eval()
except NotImplementedError as error:
    print("the module:", error)
else:
    raise SystemExit("changed: eval() is accepted")
duplicate = copy.deepcopy(module).eval()
images = torch.ones(2, 4)
same = torch.equal(duplicate(images), duplicate(images))
print(f"its deepcopy: eval() passes, training is {duplicate.training}, two passes agree: {same}")
if same:
    raise SystemExit("changed: dropout is off")
PYTHON
