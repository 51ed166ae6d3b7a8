#!/usr/bin/env bash
# Expected: every torchvision classifier loads its own state dict after a round trip through a plain dict, which is what a
# safetensors file gives, as resnet18 does.
# Happens: MNASNet raises a ValueError, not the RuntimeError of a misfit, since it asks for the version that only the
# OrderedDict of state_dict() carries.
source "$(dirname "$0")/_venv.sh" torchvision==0.29.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torchvision
from torchvision.models import mnasnet0_5, resnet18

print("torchvision", torchvision.__version__)
resnet18().load_state_dict(dict(resnet18().state_dict()))
try:
    mnasnet0_5().load_state_dict(dict(mnasnet0_5().state_dict()))
except ValueError as error:
    print("resnet18 loads its plain dict; mnasnet0_5 raises ValueError:", error)
else:
    raise SystemExit("changed: MNASNet loads a plain dict")
PYTHON
