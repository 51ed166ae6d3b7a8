#!/usr/bin/env bash
# Expected: the mean average precision of TIDE, which explains the figures of COCO, is COCO's: a mean over the classes that have objects.
# Happens: a class without an object counts as 0 once the detector names it: one false alarm with a confidence of 0.01 takes a perfect
# detector from 100 to 50, if there is one other class, and "background" is told as the reason for 50 points. pycocotools says 100.
source "$(dirname "$0")/_venv.sh" tidecv==1.0.1 pycocotools==2.0.11 numpy==2.4.6 pandas==3.1.1 seaborn==0.13.2 matplotlib==3.11.2 \
    opencv-python==5.0.0.93
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from tidecv import TIDE, Data

print("tidecv", importlib.metadata.version("tidecv"))
classes = {1: "cat", 2: "dog", 3: "hen"}
objects = [{"image_id": image, "category_id": 1, "bbox": [10, 10, 20, 20]} for image in range(1, 11)]
perfect = [{**each, "score": 0.9} for each in objects]
told = []
for alarms in ([], [2], [2, 3]):
    answers = perfect + [{"image_id": 1, "category_id": number, "bbox": [50, 50, 20, 20], "score": 0.01} for number in alarms]
    truth, found = Data("truth"), Data("found")
    for image in range(1, 11):
        truth.add_image(image, str(image))
    for number, name in classes.items():
        truth.add_class(number, name)
    for each in objects:
        truth.add_ground_truth(each["image_id"], each["category_id"], each["bbox"])
    for each in answers:
        found.add_detection(each["image_id"], each["category_id"], each["score"], each["bbox"])
    explained = TIDE()
    precision = round(float(explained.evaluate(truth, found, mode=TIDE.BOX).ap), 1)
    background = round(float(explained.get_main_errors()["found"]["Bkg"]), 1)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(1, 11)],
            "categories": [{"id": number, "name": name} for number, name in classes.items()],
            "annotations": [{**each, "id": number, "area": 400, "iscrowd": 0} for number, each in enumerate(objects, 1)],
        }
        coco.createIndex()
        judged = COCOeval(coco, coco.loadRes(answers), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    told.append((precision, background, round(100 * float(judged.stats[1]), 1)))
    print(f"false alarms of classes without objects: {len(alarms)}; TIDE {told[-1][0]}, due to background {told[-1][1]}; pycocotools {told[-1][2]}")
if told != [(100, 0, 100), (50, 50, 100), (33.3, 66.7, 100)]:
    raise SystemExit("changed")
PYTHON
