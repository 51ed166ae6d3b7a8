#!/usr/bin/env bash
# Expected: `joblib.hash` of equal objects is equal.
# Happens: it depends on whether equal parts are one object: [a, a] and [a, list(a)] are equal and hash apart (arrays
# and strings as parts hash alike).
source "$(dirname "$0")/_venv.sh" joblib==1.6.0 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import joblib
import numpy as np

print("joblib", joblib.__version__)
part, array = [1, 2], np.zeros(3)
lists = joblib.hash([part, part]) == joblib.hash([part, list(part)])
arrays = joblib.hash([array, array]) == joblib.hash([array, array.copy()])
print(f"{[part, part]} == {[part, list(part)]}: True; lists hash alike: {lists}, arrays hash alike: {arrays}")
if lists or not arrays:
    raise SystemExit("changed")
PYTHON
