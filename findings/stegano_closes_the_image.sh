#!/usr/bin/env bash
# Expected: to hide a message in a Pillow image gives a marked copy; the image stays, so that one can compare the two. An image of grey
# is refused with an error.
# Happens: stegano closes the image that it was given: its pixels raise "Operation on closed image" afterwards (`reveal` has an option
# for this, `hide` has none). For an image of grey `hide` asks a question on standard input, in a service EOFError.
source "$(dirname "$0")/_venv.sh" stegano==3.0.0 pillow==12.3.0 numpy==2.4.6
"$venv/bin/python" - </dev/null <<'PYTHON'
import importlib.metadata

from PIL import Image
from stegano import lsb

print("stegano", importlib.metadata.version("stegano"))
image = Image.new("RGB", (64, 64), (10, 20, 30))
marked = lsb.hide(image, "mine")
print(f"read from the marked image: {lsb.reveal(marked.copy())!r}")
told = []
for name, work in (("the image afterwards", lambda: image.getpixel((0, 0))), ("an image of grey", lambda: lsb.hide(Image.new("L", (64, 64)), "mine"))):
    try:
        told.append(f"{work()}")
    except Exception as error:
        told.append(f"{type(error).__name__}: {error}")
    print(f"{name}: {told[-1]}")
if not ("closed image" in told[0] and "EOFError" in told[1]):
    raise SystemExit("changed")
PYTHON
