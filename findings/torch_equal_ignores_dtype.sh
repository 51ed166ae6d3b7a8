#!/usr/bin/env bash
# Expected: `torch.equal` is the strict comparison: tensors of different dtypes are not equal. Or it raises, as
# `allclose` does.
# Happens: `torch.equal` is True for float32 and float64 (and int32 and int64) of the same values, while `allclose`
# raises on the same pair.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)
single, double = torch.ones(2), torch.ones(2, dtype=torch.float64)
try:
    torch.allclose(single, double)
except RuntimeError as error:
    print(f"torch.equal: {torch.equal(single, double)}; torch.allclose raises: {error}")
else:
    raise SystemExit("changed: allclose compares them")
if not torch.equal(single, double) or not torch.equal(single.int(), double.long()):
    raise SystemExit("changed: equal tells dtypes apart")
PYTHON
