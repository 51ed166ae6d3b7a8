#!/usr/bin/env bash
# Expected: a bootstrap with `sample_size=500` draws each of its samples of 500 from all 1,000 observations: of two classifiers that are
# right in half of the cases each, the difference is near 0.
# Happens: BootCI draws from the first 500 observations only, without a word. Where the test set is sorted by class and each of the
# classifiers knows one class, the interval is 1 to 1 by one method and -1 to -1 by another; without `sample_size` -0.06 to 0.06.
source "$(dirname "$0")/_venv.sh" BootCI==1.0.1 numpy==2.4.6 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from BootCI.paired_bootstrap_interval import Bootstrap

print("BootCI", importlib.metadata.version("BootCI"))
truth = np.arange(1000) // 500
zeros, ones = np.zeros(1000, int), np.ones(1000, int)


def accuracy(answers, labels):
    return float(np.mean(answers == labels))


print(f"accuracies {accuracy(zeros, truth)} and {accuracy(ones, truth)}")
told = {}
for name, order in (("sorted by class", np.arange(1000)), ("shuffled", np.random.default_rng(0).permutation(1000))):
    for size in (None, 500):
        for method in ("sampling", "percentile"):
            np.random.seed(0)
            drawn = Bootstrap(zeros, ones, truth[order], accuracy, n_iter=2000, sample_size=size)
            told[name, size, method] = [round(float(end), 2) for end in drawn.get_confidence_interval(0.05, method)]
            print(f"{name}, sample_size={size}, {method}: {told[name, size, method]}")
first = [told["sorted by class", 500, method] for method in ("sampling", "percentile")]
whole = [told["sorted by class", None, method] for method in ("sampling", "percentile")]
if first != [[1, 1], [-1, -1]] or max(abs(end) for ends in whole for end in ends) > 0.1:
    raise SystemExit("changed")
PYTHON
