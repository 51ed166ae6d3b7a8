#!/usr/bin/env bash
# Expected: ood-metrics' `detection_error` is, as its docstring says, the probability to be wrong at a true positive rate of 95%; labels of
# -1 and 1, which it allows, give what 0 and 1 give.
# Happens: the two kinds of error are weighed by the wrong share each: where 1% are positive and 9.4% of all samples are misclassified it
# is 0.09%. With labels of -1 and 1 `aupr_out` is 0.5, of 0 and 1 0.9998, since 1 - label is taken for the other class.
source "$(dirname "$0")/_venv.sh" ood-metrics==1.1.2 numpy==1.26.4 scikit-learn==1.5.2 scipy==1.12.0 matplotlib==3.11.2
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
import ood_metrics

print("ood-metrics", importlib.metadata.version("ood-metrics"))
rng = np.random.default_rng(0)
labels = np.r_[np.zeros(990, int), np.ones(10, int)]
scores = np.r_[rng.normal(0, 1, 990), rng.normal(3, 1, 10)]
metrics = {name: ood_metrics.calc_metrics(scores, each) for name, each in (("0 and 1", labels), ("-1 and 1", 2 * labels - 1))}
called = scores >= scores[labels == 1].min()
wrong = float(np.mean(called != labels))
print(f"at the threshold that finds all {called[labels == 1].sum()} positives {wrong:.2%} are misclassified")
for name, found in metrics.items():
    print(f"labels {name}: detection error {found['detection_error']:.2%}, aupr_in {found['aupr_in']:.4f}, aupr_out {found['aupr_out']:.4f}")
plain, signed = metrics.values()
if not (wrong > 0.09 and plain["detection_error"] < 0.001 and plain["aupr_out"] > 0.99 and signed["aupr_out"] == 0.5):
    raise SystemExit("changed")
PYTHON
