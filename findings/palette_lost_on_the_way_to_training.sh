#!/usr/bin/env bash
# Expected: an image written into a data set by the encoding "pil", which stores any of Pillow's modes as it is, is read again as it was.
# Happens: MosaicML's streaming and litdata store a palette image's indices and its mode "P" without the palette: a white image with a
# red pixel is read as black all over, without a warning. The modes L, RGBA, 1, I;16 and F are kept, by streaming's "png" P as well.
source "$(dirname "$0")/_venv.sh" mosaicml-streaming==0.13.0 litdata==0.2.76 torch==2.14.1 torchvision==0.29.1 pillow==12.3.0 numpy==2.1.3
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata
from pathlib import Path

import numpy as np
from litdata.streaming.serializers import PILSerializer
from PIL import Image
from streaming import LocalDataset, MDSWriter

print("mosaicml-streaming", importlib.metadata.version("mosaicml-streaming"), "litdata", importlib.metadata.version("litdata"))


def streamed(image, encoding):
    folder = f"{encoding}-{image.mode}"
    if not Path(folder).exists():
        with MDSWriter(out=folder, columns={"image": encoding}) as writer:
            writer.write({"image": image})
    return LocalDataset(folder)[0]["image"]


def lit(image):
    return PILSerializer().deserialize(PILSerializer().serialize(image)[0])


colours = Image.new("RGB", (8, 8), "white")
colours.putpixel((0, 0), (255, 0, 0))
kept = {}
for mode in ("RGB", "RGBA", "L", "1", "F", "P"):
    image = colours.convert(mode)
    for name, read in (("streaming pil", streamed(image, "pil")), ("litdata pil", lit(image))):
        kept[mode, name] = bool(np.array_equal(np.asarray(read.convert("RGBA")), np.asarray(image.convert("RGBA"))))
    print(f"{mode}: kept by streaming {kept[mode, 'streaming pil']}, by litdata {kept[mode, 'litdata pil']}")
palette = colours.convert("P")
seen = [each.convert("RGB").getextrema() for each in (streamed(palette, "pil"), lit(palette), streamed(palette, "png"))]
print(f"read again: {seen[0]} by streaming, {seen[1]} by litdata, {seen[2]} by streaming's png")
if sorted({mode for (mode, _), same in kept.items() if not same}) != ["P"] or sum(not same for same in kept.values()) != 2:
    raise SystemExit("changed")
PYTHON
