#!/usr/bin/env bash
# Expected: thumbhash decodes a hash to a small blurred image: of one half white and one half black, one side is bright and one dark.
# Happens: each pixel is computed with the cosines of the first one, so that any image decodes to one colour, which is not its average
# either; and `thumb_hash_to_rgba` prints the aspect ratio to the standard output.
source "$(dirname "$0")/_venv.sh" thumbhash==0.1.2 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np
import thumbhash

print("thumbhash", importlib.metadata.version("thumbhash"))
white_left = np.zeros((32, 32, 4), np.uint8)
white_left[..., 3] = 255
white_left[:, :16, :3] = 255
told = []
for name, image in (("white on the left", white_left), ("white on the right", white_left[:, ::-1]), ("white above", white_left.transpose(1, 0, 2))):
    small = thumbhash.rgba_to_thumb_hash(32, 32, image.ravel().tolist())
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        width, height, pixels = thumbhash.thumb_hash_to_rgba(small)
    found = np.array(pixels).reshape(height, width, 4)[..., 0]
    average = round(255 * float(thumbhash.thumb_hash_to_average_rgba(small)[0]))
    told.append((int(found.min()), int(found.max()), printed.getvalue().strip()))
    print(f"{name}: decoded to {told[-1][0]} ... {told[-1][1]}, its average {average}; printed: {told[-1][2]!r}")
if not (all(low == high and text for low, high, text in told) and len(small) > 5):
    raise SystemExit("changed")
PYTHON
