#!/usr/bin/env bash
# Expected: an interval of 90% that is calibrated by signed errors holds 90% of the truths of new data, whatever the model; that is what a
# conformal predictor is for, and where a model errs to one side the interval lies on that side.
# Happens: with SignErrorErrFunc nonconformist puts it on the other side: of a model whose truths are all above its answers the interval
# of 90% holds none of them. Asked for all levels at once, the interval of the same 90% is another one, twice as wide.
source "$(dirname "$0")/_venv.sh" nonconformist==2.1.0 scikit-learn==1.9.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from nonconformist.icp import IcpRegressor
from nonconformist.nc import AbsErrorErrFunc, NcFactory, SignErrorErrFunc
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression

print("nonconformist", importlib.metadata.version("nonconformist"))


class Lowest(RegressorMixin, BaseEstimator):
    """Answers the lowest value that the truth can have."""

    def fit(self, inputs, truths):
        return self

    def predict(self, inputs):
        return inputs[:, 0]


draw = np.random.default_rng(0)
sets = [(inputs, inputs[:, 0] + draw.exponential(3, 5000)) for inputs in draw.normal(size=(3, 5000, 1))]
told = {}
for model in (LinearRegression(), Lowest()):
    for errors in (AbsErrorErrFunc(), SignErrorErrFunc()):
        predictor = IcpRegressor(NcFactory.create_nc(model, errors))
        predictor.fit(*sets[0])
        predictor.calibrate(*sets[1])
        inputs, truths = sets[2]
        for way, ends in (("this level", predictor.predict(inputs, significance=0.1)), ("all levels", predictor.predict(inputs)[:, :, 9])):
            held = float(((ends[:, 0] <= truths) & (truths <= ends[:, 1])).mean())
            told[type(model).__name__, type(errors).__name__, way] = held
            print(f"{type(model).__name__}, {type(errors).__name__}, {way}: 90% intervals, {np.ptp(ends, 1).mean():.1f} wide, hold {held:.1%}")
absolute = [held for (_, errors, _), held in told.items() if errors == "AbsErrorErrFunc"]
if not (min(absolute) > 0.88 and max(absolute) < 0.92 and told["Lowest", "SignErrorErrFunc", "this level"] == 0):
    raise SystemExit("changed")
if not told["Lowest", "SignErrorErrFunc", "all levels"] > 0.94 or not told["LinearRegression", "SignErrorErrFunc", "this level"] < 0.88:
    raise SystemExit("changed")
PYTHON
