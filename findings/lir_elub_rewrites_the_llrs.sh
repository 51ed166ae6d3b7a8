#!/usr/bin/env bash
# Expected: to fit bounds to log-likelihood ratios reads them; their cost (Cllr) is the same before and after.
# Happens: lir's `elub`, and with it ELUBBounder's `fit`, cuts the caller's own ratios off at 9 and -9 in place, infinite ones too: a
# misleading 15 and a right 12 are both 9 afterwards, and the Cllr of a system that nobody changed falls from 6.27 to 3.78.
source "$(dirname "$0")/_venv.sh" lir==1.3.1 scikit-learn==1.9.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from lir.algorithms.bayeserror import ELUBBounder
from lir.data.models import LLRData
from lir.metrics import cllr

print("lir", importlib.metadata.version("lir"))
ratios = LLRData(features=np.array([12.0, 3, 2, 1, -1, 15, -2, -3]), labels=np.array([1, 1, 1, 1, 0, 0, 0, 0]))
before = cllr(ratios)
print(f"before: Cllr {before:.2f} of {ratios.llrs.tolist()}")
ELUBBounder().fit(ratios)
after = cllr(ratios)
print(f"after: Cllr {after:.2f} of {ratios.llrs.tolist()}")
if not (before > 6 > 4 > after and ratios.llrs.max() == 9):
    raise SystemExit("changed")
PYTHON
