#!/usr/bin/env bash
# Expected: `ncnn.Mat` and `Mat.from_pixels` take a numpy array by its values, whichever way it lies in memory, as the other
# runtimes do, or refuse one that is not contiguous.
# Happens: they take the array's shape and read its memory in order: a transposed image has its pixels elsewhere, and of every
# second column they see every column of the first half, without a warning.
source "$(dirname "$0")/_venv.sh" ncnn==1.0.20261020 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import ncnn
import numpy as np

print("ncnn", importlib.metadata.version("ncnn"))
planes = np.arange(3 * 4 * 6, dtype=np.uint8).reshape(3, 4, 6)
floats = planes.astype(np.float32)
rgb = ncnn.Mat.PixelType.PIXEL_RGB


def pixels(image):
    return np.array(ncnn.Mat.from_pixels(image, rgb, image.shape[1], image.shape[0])).astype(np.uint8)


kept = {}
for name, array in (("transposed", floats.transpose(0, 2, 1)), ("every second column", floats[:, :, ::2])):
    for way, given in (("as it is", array), ("copied", np.ascontiguousarray(array))):
        kept["Mat", name, way] = np.array_equal(np.array(ncnn.Mat(given)), array)
image = planes.transpose(1, 2, 0)  # height, width, channels of what lies as channels, height, width
for way, given in (("as it is", image), ("copied", np.ascontiguousarray(image))):
    kept["from_pixels", "transposed", way] = np.array_equal(pixels(given), planes)
for what, same in kept.items():
    print(*what, "has its values:", same)
if any(same != (way == "copied") for (_, _, way), same in kept.items()):
    raise SystemExit("changed")
PYTHON
