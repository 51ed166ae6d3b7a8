#!/usr/bin/env bash
# Expected: importing the definition of a ResNet loads layers and weights' addresses, not a compiler.
# Happens: `import torchvision.models.resnet` loads `torch._dynamo`, which `import torch` leaves out, and takes
# seconds.
source "$(dirname "$0")/_venv.sh" torchvision==0.29.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import sys
import time

import torch

before = "torch._dynamo" in sys.modules
start = time.perf_counter()
import torchvision.models.resnet

after = "torch._dynamo" in sys.modules
print("torchvision", torchvision.__version__)
print(f"torch._dynamo loaded by torch: {before}, by torchvision.models.resnet: {after}")
print(f"{time.perf_counter() - start:.1f} s for the second import")
if before or not after:
    raise SystemExit("changed")
PYTHON
