#!/usr/bin/env bash
# Expected: with `prop_type="quantile"` the observed proportion is the share of true values below a predicted quantile, as the docstring
# says, and the quantile recalibrator moves predictions that are too high down.
# Happens: the sign of the residual is turned, so that the proportions are mirrored: where 84% lie below the predicted median, 16% are
# reported. The recalibrator moves them the wrong way: predictions of 1 for true values around 0 become 2. Intervals do not mind.
source "$(dirname "$0")/_venv.sh" uncertainty-toolbox==0.1.1 scikit-learn==1.9.1 scipy==1.17.1 matplotlib==3.11.1 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from uncertainty_toolbox.metrics_calibration import get_proportion_lists
from uncertainty_toolbox.recalibration import get_quantile_recalibrator

print("uncertainty-toolbox", importlib.metadata.version("uncertainty-toolbox"))
true = np.random.default_rng(0).normal(0, 1, 5000)
predicted, spread = np.ones(5000), np.ones(5000)
expected, observed = get_proportion_lists(predicted, spread, true, num_bins=3, prop_type="quantile")
below = float((true < predicted).mean())
print(f"quantile {expected[1]}: {observed[1]:.2f} observed; below the predicted median lie {below:.2f}")
median = float(get_quantile_recalibrator(predicted, spread, true)(np.ones(1), np.ones(1), 0.5)[0])
print(f"predicted 1, true on average {true.mean():.2f}, recalibrated {median:.2f}")
if not (observed[1] < 0.2 and below > 0.8 and median > 1.9):
    raise SystemExit("changed")
PYTHON
