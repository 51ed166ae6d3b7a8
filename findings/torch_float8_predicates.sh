#!/usr/bin/env bash
# Expected: `isfinite` works on every 8-bit float or on none, and `torch.equal` compares any two tensors that `==`
# compares.
# Happens: `isfinite` works on float8_e8m0fnu and float8_e5m2 and raises on float8_e4m3fn; `torch.equal` raises on all
# three, while `==` works.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch

print("torch", torch.__version__)


def works(function):
    try:
        function()
    except NotImplementedError:
        return False
    return True


names = ("float8_e8m0fnu", "float8_e5m2", "float8_e4m3fn")
tensors = [torch.ones(2).to(getattr(torch, name)) for name in names]
finite = [works(lambda x=x: torch.isfinite(x)) for x in tensors]
equal = [works(lambda x=x: torch.equal(x, x)) for x in tensors]
same = [works(lambda x=x: x == x) for x in tensors]
print(f"{names}: isfinite works {finite}, torch.equal works {equal}, == works {same}")
if (finite, equal, same) != ([True, True, False], [False] * 3, [True] * 3):
    raise SystemExit("changed")
PYTHON
