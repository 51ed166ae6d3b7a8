#!/usr/bin/env bash
# Expected: identifiers are names. A detector that finds every box exactly has an average precision of 1, whether the annotations
# are numbered from 0 or from 1; images and categories may start at 0.
# Happens: the box that matches annotation 0 counts as a false alarm and the annotation as missed, since a match is stored as the
# annotation's number and 0 stands for none.
source "$(dirname "$0")/_venv.sh" pycocotools==2.0.11 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import contextlib
import importlib.metadata
import io

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

print("pycocotools", importlib.metadata.version("pycocotools"))


def precision(first):
    truth = COCO()
    box = {"category_id": 0, "bbox": [10, 10, 40, 40]}
    truth.dataset = {
        "images": [{"id": image, "height": 100, "width": 100} for image in range(2)],
        "categories": [{"id": 0, "name": "a"}],
        "annotations": [box | {"id": first + image, "image_id": image, "area": 1600, "iscrowd": 0} for image in range(2)],
    }
    truth.createIndex()
    found = truth.loadRes([box | {"image_id": image, "score": 0.9 - 0.1 * image} for image in range(2)])
    judged = COCOeval(truth, found, "bbox")
    judged.evaluate()
    judged.accumulate()
    judged.summarize()
    return float(judged.stats[0]), float(judged.stats[8])


for first in (1, 0):
    with contextlib.redirect_stdout(io.StringIO()):
        found = precision(first)
    print(f"annotations from {first}: precision {found[0]:.3f}, recall {found[1]:.1f} of a perfect detector")
    if (found == (1.0, 1.0)) != (first == 1):
        raise SystemExit("changed")
PYTHON
