#!/usr/bin/env bash
# Expected: `joblib.hash`, and with it `joblib.Memory`, tells tensors apart by their content, as it does for numpy
# arrays.
# Happens: two tensors of equal content have different hashes, so a function cached by Memory runs again for each new
# tensor.
source "$(dirname "$0")/_venv.sh" joblib==1.6.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import joblib
import torch

print("joblib", joblib.__version__, "torch", torch.__version__)
first, second = torch.arange(4), torch.arange(4)
same = joblib.hash(first) == joblib.hash(second)
arrays = joblib.hash(first.numpy()) == joblib.hash(second.numpy())
print(f"equal tensors hash alike: {same}; the same as numpy arrays: {arrays}")
if same or not arrays:
    raise SystemExit("changed")
PYTHON
