#!/usr/bin/env bash
# Expected: the training, validation and test files into which a data set is split number the classes alike: what is category 1 in one is
# category 1 in the others.
# Happens: bboxconverter numbers them in each file anew, in the order in which they come: "dog" is 2 in training and 0 in the test, so
# that a right detector is wrong by the test file. Shares of 0.7, 0.2 and 0.1 are refused, since they "must equal 1.0".
source "$(dirname "$0")/_venv.sh" bboxconverter==0.1.9 pandas==1.5.3 numpy==1.26.4 scikit-learn==1.5.2 pillow==13.0.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata
import json
from pathlib import Path

from bboxconverter.io.reader_coco import read_coco
from PIL import Image

print("bboxconverter", importlib.metadata.version("bboxconverter"))
for number in range(20):
    Image.new("RGB", (64, 48)).save(f"{number}.jpg")
labels = {
    "images": [{"id": each, "file_name": f"{each}.jpg", "width": 64, "height": 48} for each in range(20)],
    "categories": [{"id": number, "name": name} for number, name in enumerate(("cat", "dog", "hen"))],
    "annotations": [{"id": each, "image_id": each, "category_id": each % 3, "bbox": [4, 6, 10, 20], "area": 200, "iscrowd": 0} for each in range(20)],
}
Path("all.json").write_text(json.dumps(labels))
parser = read_coco("all.json")
parser.export(Path.cwd(), "coco", split=True)
numbers = {}
for part in ("train", "val", "test"):
    numbers[part] = {each["name"]: each["id"] for each in json.loads(Path(part, f"{part}.json").read_text())["categories"]}
    print(f"{part}: {numbers[part]}")
try:
    parser.export(Path.cwd(), "coco", split=True, train_size=0.7, val_size=0.1, test_size=0.2)
    parser.export(Path.cwd(), "coco", split=True, train_size=0.7, val_size=0.2, test_size=0.1)
except ValueError as error:
    print(f"0.7, 0.1, 0.2 is split; 0.7, 0.2, 0.1: {error}")
else:
    raise SystemExit("changed")
if (numbers["train"]["dog"], numbers["test"]["dog"]) != (2, 0):
    raise SystemExit("changed")
PYTHON
