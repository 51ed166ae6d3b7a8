#!/usr/bin/env bash
# Expected: a warning of unwrapped parameters means that these are not pruned along, so that the pruned network does
# not fit together.
# Happens: torch-pruning warns of ConvNeXt's `layer_scale` and then prunes it rightly; the warning is a false alarm.
source "$(dirname "$0")/_venv.sh" torch-pruning==1.6.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata
import warnings

import torch
import torch_pruning
import torchvision

print("torch-pruning", importlib.metadata.version("torch-pruning"))
model = torchvision.models.convnext_tiny().eval()
images = torch.randn(1, 3, 64, 64)
magnitude = torch_pruning.importance.MagnitudeImportance(p=1)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    pruner = torch_pruning.pruner.BasePruner(
        model, images, importance=magnitude, pruning_ratio=0.5, ignored_layers=[model.classifier[-1]]
    )
warned = any("layer_scale" in str(warning.message) for warning in caught)
wide = model.features[1][0].layer_scale.shape
pruner.step()
narrow = model.features[1][0].layer_scale.shape
print(f"warned of layer_scale: {warned}; its shape: {tuple(wide)} -> {tuple(narrow)}; answers: {tuple(model(images).shape)}")
if not warned or narrow[0] * 2 != wide[0]:
    raise SystemExit("changed")
PYTHON
