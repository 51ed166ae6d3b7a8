#!/usr/bin/env bash
# Expected: merging a COCO data set with `cids=[[1]]`, only category 1 of it, keeps the objects of category 1.
# Happens: cocojson asks for each object whether the last category of the file is among the chosen ones, by the new number that it has by
# then: with 1 or with 2 of two categories the name is kept and no object is; with both all are.
source "$(dirname "$0")/_venv.sh" cocojson==0.1.1 opencv-python==5.0.0.93 pillow==13.0.0 numpy==2.3.5
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io
import json
from pathlib import Path

from cocojson.tools import merge
from PIL import Image

print("cocojson", importlib.metadata.version("cocojson"))
Path("set/images").mkdir(parents=True)
Image.new("RGB", (32, 32)).save("set/images/scan.png")
labels = {
    "images": [{"id": 1, "file_name": "scan.png", "width": 32, "height": 32}],
    "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    "annotations": [{"id": each, "image_id": 1, "category_id": each, "bbox": [0, 0, 8, 8], "area": 64, "iscrowd": 0} for each in (1, 2)],
}
Path("set/set.json").write_text(json.dumps(labels))
told = []
for chosen in (None, [[1]], [[2]], [[1, 2]]):
    with contextlib.redirect_stdout(io.StringIO()):
        merge(["set/set.json"], ["set/images"], "merged", cids=chosen)
    merged = json.loads(Path("merged/merged.json").read_text())
    told.append(len(merged["annotations"]))
    print(f"cids {chosen}: categories {[each['name'] for each in merged['categories']]}, {told[-1]} objects")
if told != [2, 0, 0, 2]:
    raise SystemExit("changed")
PYTHON
