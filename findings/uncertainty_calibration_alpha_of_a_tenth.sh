#!/usr/bin/env bash
# Expected: `get_calibration_error_uncertainties` with alpha = 0.1 gives "1-alpha confidence intervals": bootstrap intervals of 90%.
# Happens: the function below it takes alpha in percent: 0.1, the default, is an interval of 99.9%, which is the whole range of the
# 100 bootstrapped values, and 1.3 times as wide as one of 90%. 90% are had with alpha = 10.
source "$(dirname "$0")/_venv.sh" uncertainty-calibration==0.1.4 numpy==2.4.6 scikit-learn==1.9.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import calibration
import numpy as np

print("uncertainty-calibration", importlib.metadata.version("uncertainty-calibration"))
rng = np.random.default_rng(0)
probs = rng.random(400)
labels = (rng.random(400) < probs**2).astype(int)
rows, error = list(zip(probs, labels)), calibration.get_calibration_error(probs, labels, p=1, debias=False)
np.random.seed(0)
drawn = [[rows[row] for row in np.random.choice(range(400), size=400)] for _ in range(100)]
errors = [calibration.get_calibration_error(*zip(*each), p=1, debias=False) for each in drawn]
widths = {"the 100 values": np.ptp(errors), "the middle 90% of them": np.diff(np.percentile(errors, [5, 95]))[0]}
for alpha in (0.1, 10):
    np.random.seed(0)
    lower, _, upper = calibration.get_calibration_error_uncertainties(probs, labels, p=1, alpha=alpha)
    widths[f"alpha = {alpha}"] = upper - lower
print(f"an error of {error:.4f}")
for name, width in widths.items():
    print(f"width of {name}: {width:.4f}")
whole, middle, tenth, ten = widths.values()
if not (tenth > 0.98 * whole and np.isclose(ten, middle) and tenth > 1.25 * middle):
    raise SystemExit("changed")
PYTHON
