#!/usr/bin/env bash
# Expected: a model of sklearn's that skl2onnx converts answers in onnxruntime as it does in sklearn, up to 32 bits, as most do, or the
# conversion raises.
# Happens: a linear discriminant analysis of two classes has other probabilities, an isotonic calibration as well, a Normalizer by the
# maximum forgets that it is the maximum of absolute values, and SGD with the modified Huber loss names other classes.
source "$(dirname "$0")/_venv.sh" skl2onnx==1.20.0 scikit-learn==1.9.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import importlib.metadata

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

print("skl2onnx", importlib.metadata.version("skl2onnx"), "sklearn", importlib.metadata.version("scikit-learn"))
rows = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
two, three = (rows[:, 0] + rows[:, 1] ** 2 > 0.5).astype(int), np.digitize(rows[:, 0], [-0.5, 0.5])


def answers(model):
    options = {} if isinstance(model, Normalizer) else {id(model): {"zipmap": False}}
    written = to_onnx(model, rows[:1], options=options).SerializeToString()
    return onnxruntime.InferenceSession(written, providers=["CPUExecutionProvider"]).run(None, {"X": rows})


away = {}
for name, model, labels in (
    ("logistic regression", LogisticRegression(), two),
    ("discriminant analysis, 3 classes", LinearDiscriminantAnalysis(), three),
    ("discriminant analysis, 2 classes", LinearDiscriminantAnalysis(), two),
    ("sigmoid calibration", CalibratedClassifierCV(LinearSVC(), cv=3), three),
    ("isotonic calibration", CalibratedClassifierCV(LinearSVC(), cv=3, method="isotonic"), three),
    ("SGD, logistic loss", SGDClassifier(loss="log_loss", random_state=0), three),
    ("SGD, modified Huber", SGDClassifier(loss="modified_huber", random_state=0), three),
):
    model.fit(rows, labels)
    named, likely = answers(model)
    away[name] = float(np.abs(likely - model.predict_proba(rows)).max()), float((named != model.predict(rows)).mean())
    print(f"{name}: probabilities off by {away[name][0]:.2g}, other classes for {away[name][1]:.0%} of the rows")
for norm in ("l1", "l2", "max"):
    model = Normalizer(norm).fit(rows)
    away[norm] = float(np.abs(answers(model)[0] - model.transform(rows)).max()), 0.0
    print(f"Normalizer, {norm}: off by {away[norm][0]:.2g}")
wrong = {name for name, (numbers, names) in away.items() if numbers > 0.03 or names > 0.03}
if wrong != {"discriminant analysis, 2 classes", "isotonic calibration", "SGD, modified Huber", "max"}:
    raise SystemExit("changed")
PYTHON
