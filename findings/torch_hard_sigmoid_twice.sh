#!/usr/bin/env bash
# Expected: what torch differentiates once it differentiates twice; hard sigmoid is piecewise linear, as relu6 is, whose second
# derivative is 0, and hardswish, which is made of it, has one.
# Happens: of torch's activations hard sigmoid alone raises, so that no penalty on gradients passes a squeeze-and-excitation
# block of MobileNetV3. relu6(x + 3) / 6, the same function, passes.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
from torch.nn import functional

print("torch", torch.__version__)
values = torch.linspace(-2, 2, 5, requires_grad=True)


def twice(name, function):
    (slope,) = torch.autograd.grad(function(values).square().sum(), values, create_graph=True)
    try:
        torch.autograd.grad(slope.sum(), values)
    except RuntimeError as error:
        print(f"{name}: {str(error).splitlines()[0]}")
        return False
    print(f"{name}: ok")
    return True


others = all([twice("hardswish", functional.hardswish), twice("relu6(x + 3) / 6", lambda x: functional.relu6(x + 3) / 6)])
if twice("hardsigmoid", functional.hardsigmoid) or not others:
    raise SystemExit("changed")
PYTHON
