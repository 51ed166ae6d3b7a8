#!/usr/bin/env bash
# Expected: a notice that stego-lsb hides in an image is found again as it was; where there is no room for it, hiding raises; the image
# that one gives stays as it was.
# Happens: it notes the number of letters and hides the bytes: "© 2026 Müller, Köln" ends after "K" and half an "ö", four signs of copyright
# are two, without an error. The notice stands in the caller's own image afterwards; for an image of grey hiding raises TypeError.
source "$(dirname "$0")/_venv.sh" stego-lsb==1.7.3 pillow==13.0.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

from PIL import Image
from stego_lsb import LSBSteg

print("stego-lsb", importlib.metadata.version("stego-lsb"))
same, changed = [], []
for notice in ("(c) 2026 Mueller, Koeln", "© 2026 Müller, Köln", "©©©©"):
    image = Image.new("RGB", (32, 32), (90, 90, 90))
    marked = LSBSteg.hide_message_in_image(image, notice, 1)
    found = LSBSteg.recover_message_from_image(marked, 1)
    same.append(found == notice.encode())
    changed.append(marked is image)
    print(f"{notice}: found again {found.decode(errors='replace')}; the caller's image has {len(set(image.getdata()))} colours")
try:
    LSBSteg.hide_message_in_image(Image.new("L", (32, 32)), "notice", 1)
    grey = "hidden"
except TypeError as error:
    grey = f"TypeError: {error}"
print(f"in an image of grey: {grey}")
if same != [True, False, False] or not all(changed) or not grey.startswith("TypeError"):
    raise SystemExit("changed")
PYTHON
