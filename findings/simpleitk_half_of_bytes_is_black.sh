#!/usr/bin/env bash
# Expected: an image of bytes times 0.5 is half as bright, in floats or in rounded bytes, and is the same as the image divided by 2.
# Happens: SimpleITK casts the number to the image's type first: times 0.5 is black, and times 1.9 and plus 0.9 change nothing,
# whereas "/ 2" gives floats. There is no warning.
source "$(dirname "$0")/_venv.sh" SimpleITK==2.5.7 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import SimpleITK

print("SimpleITK", SimpleITK.Version.VersionString())
levels = [0, 3, 100, 200]
image = SimpleITK.GetImageFromArray(np.array([levels], np.uint8))
told = {}
for name, other in (("* 0.5", image * 0.5), ("* 1.9", image * 1.9), ("+ 0.9", image + 0.9), ("/ 2", image / 2)):
    told[name] = SimpleITK.GetArrayFromImage(other)[0].tolist()
    print(f"{levels} {name}: {told[name]}, {other.GetPixelIDTypeAsString()}")
floats = SimpleITK.Cast(image, SimpleITK.sitkFloat32) * 0.5
print("as floats * 0.5:", SimpleITK.GetArrayFromImage(floats)[0].tolist())
if told != {"* 0.5": [0] * 4, "* 1.9": levels, "+ 0.9": levels, "/ 2": [0, 1.5, 50, 100]}:
    raise SystemExit("changed")
PYTHON
