#!/usr/bin/env bash
# Expected: a folder with one folder per class has one order of classes: timm's ImageDataset and torchvision's ImageFolder give the
# images of a class the same label.
# Happens: timm sorts "2" before "10" and "apple" before "Zebra", torchvision the other way round: a model trained on the one has
# its labels permuted on the other. Neither says so; names of one case and of one width agree.
source "$(dirname "$0")/_venv.sh" timm==1.0.31 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import pathlib

import timm
import torchvision
from PIL import Image
from timm.data import ImageDataset
from torchvision.datasets import ImageFolder

print("timm", timm.__version__, "torchvision", torchvision.__version__)
agree = {}
for names in (("cat", "dog", "fox"), ("1", "2", "10"), ("Zebra", "apple", "pear")):
    root = pathlib.Path(f"folder of {names[0]}")
    for name in names:
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(root / name / "image.png")
    one, other = ImageDataset(str(root)), ImageFolder(str(root))
    pairs = one.reader.samples, other.samples
    labels = [{pathlib.Path(path).parent.name: label for path, label in images} for images in pairs]
    agree[names[0]] = labels[0] == labels[1]
    print(f"timm: {one.reader.class_to_idx}, torchvision: {other.class_to_idx}; labels agree: {agree[names[0]]}")
if agree != {"cat": True, "1": False, "Zebra": False}:
    raise SystemExit("changed")
PYTHON
