#!/usr/bin/env bash
# Expected: the probability that model A's mean exceeds B's, by a bootstrap of both together, is the share of resamples in which it
# does: about 1/2 for two models that are as good.
# Happens: `pval` sorts the resampled statistics, each column by itself, before it asks `compfunction`, so that A's largest mean is
# compared with B's largest and A's smallest with B's smallest: 1.0 for a difference of 0.02. Of the difference, one number, it is 0.56.
source "$(dirname "$0")/_venv.sh" scikits-bootstrap==1.1.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import numpy as np
import scikits.bootstrap as bootstrap

print("scikits-bootstrap", importlib.metadata.version("scikits-bootstrap"))
scores = np.random.default_rng(0).normal(0, 1, (100, 2))
scores += [0.02, 0] - scores.mean(0)
both = bootstrap.pval(scores, lambda drawn: drawn.mean(0), lambda means: means[0] > means[1], 2000, seed=0)
one = bootstrap.pval(scores, lambda drawn: drawn.mean(0)[0] - drawn.mean(0)[1], lambda difference: difference > 0, 2000, seed=0)
print(f"A's mean is {scores.mean(0)[0]:.2f}, B's {abs(scores.mean(0)[1]):.2f}")
print(f"A exceeds B: {float(both):.3f} of two means, {float(one):.3f} of their difference")
if not both > 0.99 > 0.6 > one:
    raise SystemExit("changed")
PYTHON
