#!/usr/bin/env bash
# Expected: a comparison with a number outside of uint8 answers by value: 44 is not 300, 200 is less than 300 (as
# numpy 2 answers).
# Happens: torch casts the number to uint8 first, so 44 == 300 is True and 200 < 300 is False, with no warning;
# `clamp` and `full` raise for the same number.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import torch

print("torch", torch.__version__)
pixels = torch.tensor([44, 200], dtype=torch.uint8)
equal, less = (pixels == 300).tolist(), (pixels < 300).tolist()
print(f"torch: [44, 200] == 300 is {equal}, [44, 200] < 300 is {less}")
print(f"numpy: [44, 200] == 300 is {(pixels.numpy() == 300).tolist()}, < 300 is {(pixels.numpy() < 300).tolist()}")
if (equal, less) != ([True, False], [False, False]):
    raise SystemExit("changed")
PYTHON
