#!/usr/bin/env bash
# Expected: a message of 32 bits that was embedded in an image is read again from that image, whichever bits they are.
# Happens: the reader splits what it finds into two heaps, as though both kinds of bits were there: of 32 ones (or 32 zeros) a
# good part comes back wrong, while 31 ones and a zero come back rightly. There is no warning.
source "$(dirname "$0")/_venv.sh" blind-watermark==0.4.4 numpy==2.4.6 opencv-python==5.0.0.93 PyWavelets==1.9.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import blind_watermark
import cv2
import numpy as np

print("blind-watermark", importlib.metadata.version("blind-watermark"))
blind_watermark.bw_notes.close()
noise = np.random.default_rng(0).random((256, 256, 3))
photo = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
wrong = {}
for name, bits in (("32 ones", [1] * 32), ("32 zeros", [0] * 32), ("31 ones, a zero", [1] * 31 + [0]), ("mixed", [0, 1, 1, 0] * 8)):
    writer = blind_watermark.WaterMark(password_wm=1, password_img=1)
    writer.read_img(img=photo.copy())
    writer.read_wm(np.array(bits, dtype=bool), mode="bit")
    marked = np.clip(np.round(writer.embed()), 0, 255).astype(np.uint8)
    read = blind_watermark.WaterMark(password_wm=1, password_img=1).extract(embed_img=marked, wm_shape=32, mode="bit")
    wrong[name] = int((np.asarray(read, dtype=bool) != np.array(bits, dtype=bool)).sum())
    print(f"{name}: {wrong[name]} of 32 bits are read wrong")
if not min(wrong["32 ones"], wrong["32 zeros"]) > 3 or wrong["31 ones, a zero"] or wrong["mixed"]:
    raise SystemExit("changed")
PYTHON
