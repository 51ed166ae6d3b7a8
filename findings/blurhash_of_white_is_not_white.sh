#!/usr/bin/env bash
# Expected: the blurred placeholder of an image of one colour is of that colour, and that of a mirrored image is mirrored.
# Happens: blurhash takes its cosines at the left edges of the pixels, where they do not sum to 0: white of 32 x 32 pixels decodes to
# 235 ... 255, of 4 x 4 pixels to 0 ... 255, and the placeholder of a mirrored image is off by up to 65 grey levels from the mirrored one.
source "$(dirname "$0")/_venv.sh" blurhash==1.1.5 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import blurhash
import numpy as np

print("blurhash", importlib.metadata.version("blurhash"))


def blurred(image):
    return np.asarray(blurhash.decode(blurhash.encode(image, 4, 3), 32, 32))[..., 0].astype(int)


darkest = {}
for size in (256, 32, 4):
    white = blurred(np.full((size, size, 3), 255, np.uint8))
    darkest[size] = int(white.min())
    print(f"white, {size} x {size} pixels: {white.min()} to {white.max()}")
half = np.zeros((32, 32, 3), np.uint8)
half[:, :16] = 255
off = int(np.abs(blurred(half) - blurred(half[:, ::-1])[:, ::-1]).max())
print(f"half white, half black: the mirrored image is off by {off} at most")
if not (darkest[4] < 50 and darkest[32] < 245 and off > 40):
    raise SystemExit("changed")
PYTHON
