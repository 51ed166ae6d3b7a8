#!/usr/bin/env bash
# Expected: the area under a ROC curve and DeLong's p-value are the same whether the labels 0 and 1 are an array of int64, of floats or
# of bytes, as they come from a mask or an image; the area is the one of scikit-learn.
# Happens: rocauc_comparison sorts by the negative of the labels, which in uint8 is 255 for 1: the negatives come first, and as many of
# them as there are positives are taken for the positives. The area of a good model is 0.42, and a difference with p = 0.002 has p = 0.14.
source "$(dirname "$0")/_venv.sh" rocauc-comparison==0.1.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.3.5
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from rocauc_comparison import delong_roc_test, delong_roc_variance
from sklearn.metrics import roc_auc_score

print("rocauc-comparison", importlib.metadata.version("rocauc-comparison"))
rng = np.random.default_rng(0)
labels = np.array([0] * 150 + [1] * 50)
model, better = rng.normal(size=200) + labels, rng.normal(size=200) + 1.5 * labels
told = {}
for kind in ("int64", "float64", "uint8"):
    area, p = delong_roc_variance(labels.astype(kind), model)[0], delong_roc_test(labels.astype(kind), model, better).p_value
    told[kind] = (round(float(area), 4), round(float(p), 4))
    print(f"labels of {kind}: area {told[kind][0]}, p of the difference {told[kind][1]}")
right = round(roc_auc_score(labels, model), 4)
print(f"by scikit-learn: area {right}")
if not (told["int64"] == told["float64"] and told["int64"][0] == right and told["uint8"][0] < 0.5 and told["int64"][1] < 0.05 < told["uint8"][1]):
    raise SystemExit("changed")
PYTHON
