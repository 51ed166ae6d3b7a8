#!/usr/bin/env bash
# Expected: an attack with a `seed` draws its own noise from it and leaves the program's stream of random numbers as it would be
# after any attack, PGD for one: somewhere further on.
# Happens: APGD, FAB and Square call `torch.manual_seed`: after each attack `torch.rand` begins anew, so that adversarial training
# shuffles, drops out and augments in every step alike.
source "$(dirname "$0")/_venv.sh" torchattacks==3.5.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import torch
import torchattacks

print("torchattacks", importlib.metadata.version("torchattacks"))
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 8 * 8, 4)).eval()
images = torch.rand(2, 3, 8, 8)
labels = model(images).argmax(1)
repeats = {}
for name in ("PGD", "APGD", "FAB", "Square"):
    attack = getattr(torchattacks, name)(model)
    draws = []
    for seed in range(3):
        torch.manual_seed(seed)
        attack(images, labels)
        draws.append(round(float(torch.rand(1)), 4))
    repeats[name] = len(set(draws)) == 1
    print(f"{name}: after it `torch.rand` draws {draws} in programs of three seeds")
if repeats != {"PGD": False, "APGD": True, "FAB": True, "Square": True}:
    raise SystemExit("changed")
PYTHON
