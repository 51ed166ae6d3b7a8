#!/usr/bin/env bash
# Expected: Page and Hinkley's test looks at deviations from the running mean, so that the same data with 100 added to them drift at the
# same place, and data that do not drift raise no alarm.
# Happens: menelaus multiplies the threshold by the running mean: standard normal noise drifts as soon as the test may say so, at 30, and
# so it does around -100; around 100 a jump by five standard deviations is not seen within 150 observations.
source "$(dirname "$0")/_venv.sh" menelaus==0.2.0 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1 joblib==1.6.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from menelaus.change_detection import PageHinkley

print("menelaus", importlib.metadata.version("menelaus"))


def first(stream):
    """The number of the observation at which drift is detected, or None."""
    detector = PageHinkley()
    for number, value in enumerate(stream):
        detector.update(np.array([[value]]))
        if detector.drift_state == "drift":
            return number
    return None


still = np.random.default_rng(0).normal(size=300)
jump = still + 5 * (np.arange(300) >= 150)
found = {mean: (first(mean + still), first(mean + jump)) for mean in (-100, 0, 1, 10, 100)}
for mean, (without, with_one) in found.items():
    print(f"noise around {mean}: drift at {without}; with a jump by 5 at 150: drift at {with_one}")
if not (found[-100] == found[0] == (30, 30) and found[1][0] is None and found[1][1] > 150 and found[100] == (None, None)):
    raise SystemExit("changed")
PYTHON
