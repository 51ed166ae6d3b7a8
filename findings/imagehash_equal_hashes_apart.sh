#!/usr/bin/env bash
# Expected: two image hashes that are equal have one `hash()`, as Python asks of whatever goes into a set or a dict.
# Happens: `crop_resistant_hash` of an image and of the same image enlarged are equal, and their `hash()` differ: a set holds both,
# and a dict does not find the one by the other.
source "$(dirname "$0")/_venv.sh" ImageHash==4.3.2 pillow==13.0.0 numpy==2.4.6 scipy==1.17.1 PyWavelets==1.9.0
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import imagehash
import numpy as np
from PIL import Image

print("ImageHash", importlib.metadata.version("ImageHash"))
noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
image = Image.fromarray(noise).resize((256, 256), Image.Resampling.BICUBIC)
one, other = imagehash.crop_resistant_hash(image), imagehash.crop_resistant_hash(image.resize((300, 300)))
hashes, found = hash(one) == hash(other), other in {one: 1}
print(f"equal: {one == other}; their hash() as well: {hashes}; in a set: {len({one, other})}; found in a dict: {found}")
if not (one == other and not hashes and len({one, other}) == 2):
    raise SystemExit("changed")
PYTHON
