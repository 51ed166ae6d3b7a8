#!/usr/bin/env bash
# Expected: the accuracy within the top 1 is the accuracy; a model that answers NaN, or the same for every class, is right for no
# more than it would be by chance.
# Happens: `TopKCategoricalAccuracy` counts the classes that are above the true one: of NaN and of equal numbers none is, so that a
# dead model has an accuracy of 1 where `CategoricalAccuracy` says 0.
source "$(dirname "$0")/_venv.sh" keras==3.15.1 numpy==2.4.6 jax==0.10.2 jaxlib==0.10.2
KERAS_BACKEND=jax "$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import numpy as np
from keras import metrics

print("keras", importlib.metadata.version("keras"))
truth = np.eye(3, dtype=np.float32)[[2, 1, 2, 1]]
answers = {"NaN": np.full((4, 3), np.nan), "the same for each class": np.zeros((4, 3)), "class 0": np.eye(3)[[0] * 4]}
found = {}
for name, answer in answers.items():
    answer = answer.astype(np.float32)
    found[name] = tuple(float(kind(truth, answer)) for kind in (metrics.TopKCategoricalAccuracy(k=1), metrics.CategoricalAccuracy()))
    print(f"a model that answers {name}: top-1 accuracy {found[name][0]:.2f}, accuracy {found[name][1]:.2f}")
if found != {"NaN": (1.0, 0.0), "the same for each class": (1.0, 0.0), "class 0": (0.0, 0.0)}:
    raise SystemExit("changed")
PYTHON
