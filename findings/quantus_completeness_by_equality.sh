#!/usr/bin/env bash
# Expected: quantus's Completeness is True of attributions that sum to the difference of the scores of the image and of black, as those
# of a linear model, weight times input, do by their definition, up to the rounding of 32 bits.
# Happens: sum and difference are compared by ==, so that True needs numbers such as powers of two; and "black" is the image's own
# darkest pixel, so that an image without a black one is complete for no attribution that starts from 0.
source "$(dirname "$0")/_venv.sh" quantus==0.6.0 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import numpy as np
import quantus
import torch

print("quantus", importlib.metadata.version("quantus"))
rng = np.random.default_rng(0)


def powers(shape):
    return 2.0 ** rng.integers(-2, 1, shape)


told = {}
for name, draw, black in (("powers of two", powers, True), ("the same without black", powers, False), ("numbers as drawn", rng.random, True)):
    weights, images = draw((3, 1024)).astype(np.float32), draw((40, 1, 32, 32)).astype(np.float32)
    if black:
        images[:, :, 0, 0] = 0
    layer = torch.nn.Linear(1024, 3, bias=False)
    layer.weight = torch.nn.Parameter(torch.tensor(weights))
    model = torch.nn.Sequential(torch.nn.Flatten(), layer).eval()
    labels = np.arange(40) % 3
    maps = images * weights[labels].reshape(40, 1, 32, 32)
    scores = model(torch.tensor(images)).detach().numpy()[np.arange(40), labels]
    gap = float(np.abs(maps.sum((1, 2, 3)) / scores - 1).max())
    metric = quantus.Completeness(abs=False, normalise=False, disable_warnings=True)
    told[name] = float(np.mean(metric(model=model, x_batch=images, y_batch=labels, a_batch=maps, device="cpu", softmax=False)))
    print(f"{name}: the sum of a map and its score differ by {gap:.1g} of it at most; complete: {told[name]:.0%} of the maps")
    if gap > 1e-5:
        raise SystemExit("changed")
if not (told["powers of two"] == 1 and told["the same without black"] == 0 and told["numbers as drawn"] < 0.9):
    raise SystemExit("changed")
PYTHON
