#!/usr/bin/env bash
# Expected: two samples that do not overlap are the clearest case: the p-value is tiny or 0.
# Happens: the variance estimate is 0 and the p-value NaN (with a warning), which `p < 0.05` reads as no difference;
# `mannwhitneyu` answers.
source "$(dirname "$0")/_venv.sh" scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import warnings

import numpy as np
import scipy
from scipy.stats import brunnermunzel, mannwhitneyu

print("scipy", scipy.__version__)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    separated = brunnermunzel(range(20), range(100, 120)).pvalue
overlapping = brunnermunzel(range(20), [19, *range(100, 119)]).pvalue
other = mannwhitneyu(range(20), range(100, 120)).pvalue
print(f"separated: {separated}; with one tie: {overlapping:.3g}; mannwhitneyu: {other:.3g}")
print("warnings:", [str(warning.message) for warning in caught])
if not np.isnan(separated) or np.isnan(overlapping):
    raise SystemExit("changed")
PYTHON
