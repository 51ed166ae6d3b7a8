#!/usr/bin/env bash
# Expected: PyLabel's `GroupShuffleSplit`, with its default `group_col="img_filename"`, keeps the objects of one image together: an image is
# in training or in test.
# Happens: it gives scikit-learn the number of each row as its group, so that objects are split, not images: of 20 images with 5 objects
# each, 19 have objects in two or three of training, test and validation. In StratifiedGroupShuffleSplit none has.
source "$(dirname "$0")/_venv.sh" pylabel==0.1.55 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.3.5 opencv-python==5.0.0.93
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata
import json
from pathlib import Path

from pylabel import importer

print("pylabel", importlib.metadata.version("pylabel"))
images = [{"id": number, "file_name": f"{number}.png", "width": 64, "height": 64} for number in range(1, 21)]
objects = [{"id": number, "image_id": number // 5 + 1, "category_id": 1 + number % 2} for number in range(100)]
for each in objects:
    each.update(bbox=[0, 0, 8, 8], area=64, iscrowd=0, segmentation=[])
names = [{"id": 1, "name": "cat", "supercategory": ""}, {"id": 2, "name": "dog", "supercategory": ""}]
Path("labels.json").write_text(json.dumps({"images": images, "annotations": objects, "categories": names}))


def cut(method, **settings):
    dataset = importer.ImportCoco("labels.json", path_to_images=".")
    getattr(dataset.splitter, method)(train_pct=0.6, test_pct=0.2, val_pct=0.2, **settings)
    parts = dataset.df.groupby("img_filename")["split"].nunique()
    print(f"{method}: {dataset.df['split'].value_counts().to_dict()} objects; images in more than one part: {(parts > 1).sum()} of {len(parts)}")
    return int((parts > 1).sum())


if cut("GroupShuffleSplit", random_state=0) < 15 or cut("StratifiedGroupShuffleSplit") != 0:
    raise SystemExit("changed")
PYTHON
