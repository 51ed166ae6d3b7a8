#!/usr/bin/env bash
# Expected: crepes' MondrianCategorizer, which is fitted with a function or, as its docstring says, with a learner that predicts, sorts
# new objects into the categories that it has formed.
# Happens: with a learner it is fitted and says so, and `apply` raises NameError, since the learner is looked for under a name that does
# not exist. With the learner's `predict` as a function it works.
source "$(dirname "$0")/_venv.sh" crepes==0.9.1 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from crepes.extras import MondrianCategorizer
from sklearn.linear_model import LinearRegression

print("crepes", importlib.metadata.version("crepes"))
objects = np.random.default_rng(0).random((90, 2))
learner = LinearRegression().fit(objects, objects.sum(axis=1))
found = {}
for name, settings in (("a learner", {"learner": learner}), ("its predictions", {"f": learner.predict})):
    categorizer = MondrianCategorizer().fit(objects, no_bins=3, **settings)
    try:
        found[name] = np.bincount(categorizer.apply(objects)).tolist()
    except NameError as error:
        found[name] = f"NameError: {error}"
    print(f"fitted with {name}: fitted is {categorizer.fitted}; objects in the categories: {found[name]}")
if not found["a learner"].startswith("NameError") or sum(found["its predictions"]) != 90:
    raise SystemExit("changed")
PYTHON
