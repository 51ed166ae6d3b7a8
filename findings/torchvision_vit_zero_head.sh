#!/usr/bin/env bash
# Expected: an untrained VisionTransformer answers like any untrained network: small, different numbers for different
# images, and gradients everywhere.
# Happens: its head starts at zero: all logits are exactly 0 for every image, and every gradient below the head is
# exactly 0.
source "$(dirname "$0")/_venv.sh" torchvision==0.29.1 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
import torchvision

print("torchvision", torchvision.__version__)
size = {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
model = torchvision.models.VisionTransformer(**size).eval()
logits = model(torch.randn(4, 3, 32, 32))
torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
below = max(p.grad.abs().max().item() for name, p in model.named_parameters() if not name.startswith("heads"))
print(f"largest logit: {logits.abs().max().item()}, largest gradient below the head: {below}")
if logits.abs().max() != 0 or below != 0:
    raise SystemExit("changed: the head does not start at zero")
PYTHON
