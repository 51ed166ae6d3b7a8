#!/usr/bin/env bash
# Expected: a model of sklearn's converted by hummingbird answers as it did before, up to the rounding of 32 bits, or is refused.
# Happens: the probabilities of a LogisticRegression of three classes are those of three models of two classes each, not a softmax:
# off by up to a third with the same labels; and a MinMaxScaler with `clip=True` does not clip. Two classes are converted rightly.
source "$(dirname "$0")/_venv.sh" hummingbird-ml==0.4.12 scikit-learn==1.9.1 scipy==1.17.1 torch==2.14.1 torchvision==0.29.1 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import hummingbird.ml
import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler

print("hummingbird-ml", importlib.metadata.version("hummingbird-ml"), "sklearn", importlib.metadata.version("scikit-learn"))
images, gaps = np.random.default_rng(0).random((300, 5)).astype(np.float32), {}
for classes in (2, 3):
    model = LogisticRegression().fit(images, (images[:, 0] * classes).astype(int))
    found = hummingbird.ml.convert(model, "torch").predict_proba(images)
    gaps[classes] = float(np.abs(found - model.predict_proba(images)).max())
    print(f"{classes} classes: off by {gaps[classes]:.2g}; labels alike: {(found.argmax(1) == model.predict(images)).all()}")
apart = expit(model.decision_function(images))
gap = float(np.abs(found - apart / apart.sum(1, keepdims=True)).max())
print(f"three sigmoids, divided by their sum: off by {gap:.2g}")
scaler = MinMaxScaler(clip=True).fit(images)
clipped = hummingbird.ml.convert(scaler, "torch").transform(np.full((1, 5), 2, np.float32))
print(f"MinMaxScaler(clip=True) of 2: at most {float(np.max(clipped)):.2f}; by sklearn {scaler.transform(np.full((1, 5), 2)).max():.2f}")
if not (gaps[2] < 1e-5 and gaps[3] > 0.1 and gap < 1e-5 and np.max(clipped) > 1.5):
    raise SystemExit("changed")
PYTHON
