#!/usr/bin/env bash
# Expected: SwinTransformer builds with any depths, such as a single block, as VisionTransformer does.
# Happens: with one block in all it raises ZeroDivisionError, also where stochastic_depth_prob is 0.
source "$(dirname "$0")/_venv.sh" torchvision==0.29.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torchvision
from torchvision.models import SwinTransformer, VisionTransformer

print("torchvision", torchvision.__version__)
VisionTransformer(16, 4, 1, 2, 8, 16)
SwinTransformer([4, 4], 8, [2], [2], [4, 4], stochastic_depth_prob=0.0)
try:
    SwinTransformer([4, 4], 8, [1], [2], [4, 4], stochastic_depth_prob=0.0)
except ZeroDivisionError as error:
    print("depths [2]: built; depths [1]: ZeroDivisionError:", error)
else:
    raise SystemExit("changed: a single block can be built")
PYTHON
