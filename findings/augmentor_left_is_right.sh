#!/usr/bin/env bash
# Expected: Augmentor's rotation with `max_left_rotation=25, max_right_rotation=0` turns images to the left, and a crop with
# `percentage_area=0.5`, "the area, as a percentage of the current image's area", keeps half of the area.
# Happens: the mark at the top of an image goes to the right in half of the cases, to the left never; `max_right_rotation` moves it to
# the left. The crop keeps half of the width and half of the height: a quarter of the area.
source "$(dirname "$0")/_venv.sh" Augmentor==0.2.12 pillow==13.0.0 numpy==2.4.6 tqdm==4.70.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import random

import numpy as np
from Augmentor import Pipeline
from PIL import Image

print("Augmentor", importlib.metadata.version("Augmentor"))
random.seed(0)
image = Image.new("L", (100, 100))
image.paste(255, (45, 0, 55, 20))


def changed(name, **settings):
    """What a pipeline of one operation makes of the image."""
    pipeline = Pipeline()
    getattr(pipeline, name)(probability=1, **settings)
    return pipeline.operations[0].perform_operation([image])[0]


found = {}
for left, right in ((25, 0), (0, 25)):
    weights = [np.asarray(changed("rotate_without_crop", max_left_rotation=left, max_right_rotation=right), float) for _ in range(60)]
    columns = [float((each * np.arange(100)).sum() / each.sum()) for each in weights]
    found[left, right] = sum(column < 49 for column in columns), sum(column > 50 for column in columns)
    print(f"at most {left} degrees left and {right} right, 60 times: the mark goes left {found[left, right][0]}, right {found[left, right][1]}")
width, height = changed("crop_centre", percentage_area=0.5).size
print(f"a crop of 50% of the area: {width} x {height} of 100 x 100")
if not (found[25, 0][0] == 0 < found[25, 0][1] and found[0, 25][1] == 0 < found[0, 25][0] and (width, height) == (50, 50)):
    raise SystemExit("changed")
PYTHON
