#!/usr/bin/env bash
# Expected: an effect size of samples that are alike is 0, and that of A against B is the negative of that of B against A; shiftES explains
# its omega so (-1 to 1, 0 for no effect, small from 0.1, medium from 0.3, large from 0.4).
# Happens: on values with ties it counts the differences below the median and not those at it: grades from 1 to 5 have -0.2 against
# themselves, right and wrong answers -0.5, a large effect; grades one higher have 0.2, one lower -0.52. uint8 grades wrap: one lower is 0.92.
source "$(dirname "$0")/_venv.sh" shiftES==1.0.7 pandas==3.1.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
from shiftES import effectsize

print("shiftES", importlib.metadata.version("shiftES"))
grades, answers = np.array([1, 2, 3, 4, 5] * 4), np.repeat([0, 1], 50)
told = {
    "grades, the same": effectsize(grades, grades),
    "answers, the same": effectsize(answers, answers),
    "grades one higher": effectsize(grades + 1, grades),
    "grades one lower": effectsize(grades, grades + 1),
    "grades one lower, in bytes": effectsize(grades.astype("uint8"), (grades + 1).astype("uint8")),
}
told = {name: round(float(size), 2) for name, size in told.items()}
print("\n".join(f"{name}: {size}" for name, size in told.items()))
smooth = np.random.default_rng(0).normal(size=(2, 400))
print(f"normal samples without ties: {float(effectsize(smooth[0], smooth[0])):.3f} and {float(effectsize(*smooth)):.3f}")
if list(told.values()) != [-0.2, -0.5, 0.2, -0.52, 0.92]:
    raise SystemExit("changed")
PYTHON
