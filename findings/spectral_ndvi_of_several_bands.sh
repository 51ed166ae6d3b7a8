#!/usr/bin/env bash
# Expected: Spectral Python's `ndvi` takes, as its docstring says, an index or a range of bands for red and for near infrared, and answers
# a number between -1 and 1 for each pixel.
# Happens: Python's own `sum` adds up the rows of the image and the number 2: with two bands each, an image of 6 x 5 pixels has an
# index of the shape 5 x 2, the same for images whose rows are in another order. A range for one of them raises ValueError.
source "$(dirname "$0")/_venv.sh" spectral==0.25 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import spectral

print("spectral", importlib.metadata.version("spectral"))
image = np.random.default_rng(0).random((6, 5, 8))
red, infrared = image[..., 1:3].mean(axis=2), image[..., 5:7].mean(axis=2)
print("one band each:", spectral.ndvi(image, 1, 5).shape, "; the means of two bands:", ((infrared - red) / (infrared + red)).shape)
found = {}
for name, bands in (("slices", (slice(1, 3), slice(5, 7))), ("lists", ([1, 2], [5, 6]))):
    index = spectral.ndvi(image, *bands)
    found[name] = index.shape, bool(np.allclose(index, spectral.ndvi(image[::-1], *bands)))
    print(f"{name} of two bands each: {found[name][0]}; the same for the image upside down: {found[name][1]}")
try:
    spectral.ndvi(image, slice(1, 3), 5)
    found["one range"] = "answers"
except ValueError as error:
    found["one range"] = "ValueError"
    print(f"a range for red, an index for infrared: ValueError: {error}")
if found != {"slices": ((5, 2), True), "lists": ((5, 2), True), "one range": "ValueError"}:
    raise SystemExit("changed")
PYTHON
