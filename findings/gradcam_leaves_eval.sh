#!/usr/bin/env bash
# Expected: looking at a model with Grad-CAM leaves it as it was.
# Happens: constructing GradCAM switches the model to eval mode for good, and a call leaves gradients on every
# parameter, which the next optimiser step of a training loop would see.
source "$(dirname "$0")/_venv.sh" grad-cam==1.5.7 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import torch
import torchvision
from pytorch_grad_cam import GradCAM

print("grad-cam", importlib.metadata.version("grad-cam"))
model = torchvision.models.resnet18().train()
with GradCAM(model=model, target_layers=[model.layer4[-1]]) as camera:
    camera(torch.randn(2, 3, 64, 64), None)
left = sum(parameter.grad is not None for parameter in model.parameters())
print(f"afterwards: training is {model.training}, {left} parameters carry gradients")
if model.training or not left:
    raise SystemExit("changed: the model is left as it was")
PYTHON
