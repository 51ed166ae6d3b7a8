#!/usr/bin/env bash
# Expected: `load_state_dict(strict=True)` refuses a batch norm's state that lacks `num_batches_tracked`, whatever
# kind of mapping holds it.
# Happens: it refuses an OrderedDict from `state_dict()`, but accepts the same keys in a plain dict (such as a
# safetensors file gives): the version of the format travels in a hidden attribute that a plain dict loses, and
# without it the state counts as an old one.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
state = torch.nn.BatchNorm1d(3).state_dict()
del state["num_batches_tracked"]
print("plain dict:", torch.nn.BatchNorm1d(3).load_state_dict(dict(state), strict=True))
try:
    torch.nn.BatchNorm1d(3).load_state_dict(state, strict=True)
except RuntimeError as error:
    print("the same keys as state_dict() gave them:", " ".join(str(error).split()))
else:
    raise SystemExit("changed: both are accepted")
PYTHON
