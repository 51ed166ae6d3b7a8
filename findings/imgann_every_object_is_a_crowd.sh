#!/usr/bin/env bash
# Expected: what ImgAnn converts into COCO's format is read by pycocotools as the boxes that went in, and a detector that answers these
# very boxes has an average precision of 1.
# Happens: it writes the fields that it makes up as texts, "iscrowd": "0", and a text that is not empty is true: pycocotools takes every
# object for a crowd and leaves it out, so that each figure is -1. With the numbers that COCO's format has in their place it is 1.
source "$(dirname "$0")/_venv.sh" ImgAnn==0.8.1 opencv-python==5.0.0.93 numpy==2.4.6 pandas==3.1.1 pillow==13.0.0 scikit-learn==1.9.1 pycocotools==2.0.11
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io
import json
from pathlib import Path

from imgann import Convertor
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

print("ImgAnn", importlib.metadata.version("ImgAnn"))
Path("images").mkdir()
for name in ("a.png", "b.png"):
    Image.new("RGB", (100, 80)).save(f"images/{name}")
rows = ["filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,100,80,cat,10,20,30,50", "b.png,100,80,dog,5,5,50,60"]
Path("boxes.csv").write_text("\n".join(rows) + "\n")
Convertor.csv2coco("images", "boxes.csv", str(Path("boxes.json").resolve()), center=False)
written = json.loads(Path("boxes.json").read_text())
print("the first annotation:", written["annotations"][0])


def precision(dataset):
    """The average precision, by pycocotools, of a detector that answers the annotated boxes."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = json.loads(json.dumps(dataset))
        truth.createIndex()
        keys = ("image_id", "category_id", "bbox")
        answers = [{**{key: each[key] for key in keys}, "score": 0.9} for each in dataset["annotations"]]
        evaluation = COCOeval(truth, truth.loadRes(answers), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return round(float(evaluation.stats[0]), 6)


numbers = [{**each, "area": int(each["area"]), "ignore": 0, "iscrowd": 0} for each in written["annotations"]]
found = {"as it is written": precision(written), "with numbers": precision({**written, "annotations": numbers})}
print("average precision of the boxes themselves:", found)
if written["annotations"][0]["iscrowd"] != "0" or list(found.values()) != [-1.0, 1.0]:
    raise SystemExit("changed")
PYTHON
