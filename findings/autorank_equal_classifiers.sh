#!/usr/bin/env bash
# Expected: of three classifiers that have the same accuracy on each of 20 data sets autorank reports no difference, or that nothing
# can be said, since its test has no p-value.
# Happens: "We reject the null hypothesis (p=nan)", "there is a statistically significant difference", and the effect size nan is
# called large, that of a classifier against itself included.
source "$(dirname "$0")/_venv.sh" autorank==1.3.0 statsmodels==0.15.0 pandas==3.1.1 scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io

import numpy as np
import pandas as pd
from autorank import autorank, create_report

print("autorank", importlib.metadata.version("autorank"))
table = pd.DataFrame(np.full((20, 3), 0.5), columns=["a", "b", "c"])
with contextlib.redirect_stdout(io.StringIO()) as said:
    result = autorank(table, alpha=0.05)
    create_report(result)
verdicts = [each + "." for each in said.getvalue().replace("\n", " ").split(". ") if "significant difference between the" in each]
print("p:", result.pvalue)
print("it says:", " ".join(verdicts))
sizes = result.rankdf["magnitude"].tolist()
print("effect sizes of a, b and c against a:", result.rankdf["effect_size"].tolist(), sizes)
if not (np.isnan(result.pvalue) and "there is a statistically significant difference" in verdicts[-1] and sizes == ["large"] * 3):
    raise SystemExit("changed")
PYTHON
