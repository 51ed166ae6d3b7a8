#!/usr/bin/env bash
# Expected: noise of length 0, with which a curve of accuracy over epsilon begins, changes no image, and noise of length 0.000001 no
# answer of a model that is sure of itself.
# Happens: foolbox's clipping-aware noise makes NaN of some images and counts them as fooled: 5% at epsilon 0, a quarter if it is
# drawn five times; the same noise without the awareness fools none.
source "$(dirname "$0")/_venv.sh" foolbox==3.3.4 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import foolbox
import torch

print("foolbox", importlib.metadata.version("foolbox"))
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5)).eval()
asked, images = foolbox.PyTorchModel(model, bounds=(0, 1)), torch.rand(400, 3, 4, 4)
margins = model(images).topk(2).values
images = images[margins[:, 0] - margins[:, 1] > 0.01]
labels, share = model(images).argmax(1), {}
for name, attack in (
    ("clipping-aware", foolbox.attacks.L2ClippingAwareAdditiveGaussianNoiseAttack()),
    ("clipping-aware, 5 times", foolbox.attacks.L2ClippingAwareRepeatedAdditiveGaussianNoiseAttack(repeats=5)),
    ("plain, 5 times", foolbox.attacks.L2RepeatedAdditiveGaussianNoiseAttack(repeats=5)),
):
    _, clipped, fooled = attack(asked, images, labels, epsilons=[0.0, 1e-6])
    share[name] = fooled.float().mean(1).tolist()
    broken = [int(each.isnan().flatten(1).any(1).sum()) for each in clipped]
    print(f"{name}: at epsilon 0 and 0.000001 it fools {share[name][0]:.1%} and {share[name][1]:.1%}; images with NaN: {broken} of {len(images)}")
if not (min(share["clipping-aware"]) > 0.01 and min(share["clipping-aware, 5 times"]) > 0.1 and max(share["plain, 5 times"]) == 0):
    raise SystemExit("changed")
PYTHON
