#!/usr/bin/env bash
# Expected: of a batch of images each gets the colours of its own target ("you can run multiple images at once"), as it does alone; and
# an image that is given its own colours stays as it is, as with the package's function for numpy.
# Happens: `color_transfer_pytorch` moves all images of a batch by the first one's mean and spread: a dark image with a bright target
# becomes black or bright by which image comes before it. Before that it stretches each batch to 0 ... 1: an image of 20 to 119
# is given its own colours and comes back as one of 0 to 255.
source "$(dirname "$0")/_venv.sh" color-transfer-py==0.0.5 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6 opencv-python==5.0.0.93
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import torch
from color_transfer import color_transfer, color_transfer_pytorch

print("color-transfer-py", importlib.metadata.version("color-transfer-py"))
torch.manual_seed(0)


def noise(middle):
    """An image around a brightness that touches 0 and 1, so that stretching does not change it."""
    image = middle + 0.1 * torch.randn(3, 32, 32).clamp(-1, 1)
    image[:, 0, 0], image[:, 0, 1] = 0, 1
    return image


dark, bright, middle = noise(0.2), noise(0.8), noise(0.5)
means = {}
for name, first in (("alone", None), ("behind a dark image with a dark target", (dark, dark)), ("behind a bright image with a dark target", (bright, dark))):
    pairs = [pair for pair in (first, (dark, bright)) if pair]
    given = color_transfer_pytorch(*(torch.stack(images) for images in zip(*pairs)))[-1]
    means[name] = round(float(given.mean()), 2)
    print(f"dark {dark.mean():.2f}, its target {bright.mean():.2f}, {name}: {means[name]}")
flat = np.random.default_rng(0).integers(20, 120, (32, 32, 3)).astype(np.uint8)
own = color_transfer_pytorch(*[torch.from_numpy(flat).permute(2, 0, 1)] * 2) * 255
ends = (int(own.min()), round(float(own.max())))
bytes_off = int(np.abs(color_transfer(flat, flat).astype(int) - flat).max())
print(f"{flat.min()} to {flat.max()}, with its own colours: {ends[0]} to {ends[1]}; by numpy off by {bytes_off} at most")
dark_first, bright_first = means["behind a dark image with a dark target"], means["behind a bright image with a dark target"]
if not (means["alone"] > 0.7 and dark_first < 0.3 and bright_first < 0.1 and ends == (0, 255) and bytes_off < 20):
    raise SystemExit("changed")
PYTHON
