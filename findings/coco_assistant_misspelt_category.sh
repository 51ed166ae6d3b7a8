#!/usr/bin/env bash
# Expected: removing a category that the data set does not have, "truck" where it is written "Truck", removes nothing, or is refused.
# Happens: coco-assistant writes a file with all its categories and without a single object, and says nothing; an empty list of
# categories to remove empties the file as well. The right name removes the objects of that category only.
source "$(dirname "$0")/_venv.sh" pycocotools==2.0.11 numpy==2.4.6 pandas==3.1.1 matplotlib==3.11.2 seaborn==0.13.2 pillow==13.0.0 \
    requests==2.34.2 tqdm==4.68.1
"$venv/bin/pip" install --quiet --no-deps coco-assistant==0.4.0 # it asks for a fork of pycocotools that is no more
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io
import json
from pathlib import Path

from coco_assistant import COCO_Assistant
from PIL import Image

print("coco-assistant", importlib.metadata.version("coco-assistant"))
Path("images/scans").mkdir(parents=True)
Path("annotations").mkdir()
Image.new("RGB", (64, 48)).save("images/scans/scan.jpg")
labels = {
    "images": [{"id": 1, "file_name": "scan.jpg", "width": 64, "height": 48}],
    "categories": [{"id": 1, "name": "Car"}, {"id": 2, "name": "Truck"}],
    "annotations": [{"id": each, "image_id": 1, "category_id": 1 + each % 2, "bbox": [each, each, 9, 9], "area": 81, "iscrowd": 0} for each in range(1, 11)],
}
Path("annotations/scans.json").write_text(json.dumps(labels))
told = []
for removed in (["Truck"], ["truck"], []):
    with contextlib.redirect_stdout(io.StringIO()):
        COCO_Assistant("images", "annotations").remove_cat(interactive=False, jc="annotations/scans.json", rcats=removed)
    rest = json.loads(Path("results/removal/scans.json").read_text())
    told.append(len(rest["annotations"]))
    print(f"{removed} removed from 10 objects: {told[-1]} objects, categories {[each['name'] for each in rest['categories']]}")
if told != [5, 0, 0]:
    raise SystemExit("changed")
PYTHON
