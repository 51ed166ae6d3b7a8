#!/usr/bin/env bash
# Expected: tiles of an image, merged again with any window, give the image: the windows are weights, and the merger divides by their sum.
# Happens: four windows (hann, bartlett, bohman, barthann) weigh a tile's outermost pixels 0, so that the image's own border is 0 / 0,
# and tiler writes 0 there in silence: a frame of black pixels. "overlap-tile" without an overlap weighs nothing: all is 0.
source "$(dirname "$0")/_venv.sh" tiler==0.6.0 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from tiler import Merger, Tiler

print("tiler", importlib.metadata.version("tiler"))


def merged(window, overlap):
    image = np.full((32, 32), 7.0)
    tiler = Tiler(data_shape=image.shape, tile_shape=(16, 16), overlap=overlap)
    merger = Merger(tiler, window=window)
    for number, tile in tiler.iterate(image):
        merger.add(number, tile)
    return merger.merge()


black = {}
for window in ("boxcar", "triang", "hamming", "blackman", "hann", "bartlett", "bohman", "barthann"):
    answer = merged(window, 8)
    black[window] = int((answer == 0).sum())
    print(f"{window}: {black[window]} of 1024 pixels are 0, the corner is {answer[0, 0]:.3f}, the middle {answer[16, 16]:.3f}")
none = merged("overlap-tile", 0)
print(f"overlap-tile without an overlap: {np.unique(none).tolist()}")
if [name for name, count in black.items() if count == 124] != ["hann", "bartlett", "bohman", "barthann"] or none.any():
    raise SystemExit("changed")
PYTHON
