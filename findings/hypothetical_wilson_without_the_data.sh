#!/usr/bin/env bash
# Expected: the Wilson score interval of a proportion is built around the proportion that was seen, as the Clopper-Pearson interval is
# that stands beside it, and a p-value is 1 at most.
# Happens: hypothetical builds it around the proportion of the null hypothesis: 2 of 10 and 8 of 10 have the same interval, and that of
# 682 of 925 (0.74) is 0.47 to 0.53. The two-sided p of 5 of 10 is 1.25; of 2 of 10 it is 0.20, and of 8 of 10 0.11.
source "$(dirname "$0")/_venv.sh" hypothetical==0.3.0 scipy==1.12.0 numpy==1.26.4 pandas==2.2.3 statsmodels==0.14.4 numpy-indexed==0.3.7
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

from hypothetical.hypothesis import BinomialTest
from scipy.stats import binomtest

print("hypothetical", importlib.metadata.version("hypothetical"))
wilson, p = {}, {}
for seen, trials in ((2, 10), (8, 10), (5, 10), (682, 925)):
    test = BinomialTest(trials, seen)
    found = {name: tuple(round(float(end), 3) for end in each["interval"]) for name, each in test.test_summary["intervals"].items()}
    wilson[seen], p[seen] = found["Wilson Score"], float(test.p_value)
    rightly = binomtest(seen, trials)
    ends = tuple(round(float(end), 3) for end in rightly.proportion_ci(method="wilsoncc"))
    print(f"{seen} of {trials}: Wilson {wilson[seen]}, by scipy {ends}; Clopper-Pearson {found['Clopper-Pearson']}")
    print(f"    p = {p[seen]:.3g}, by scipy {rightly.pvalue:.3g}")
if not (wilson[2] == wilson[8] and wilson[682][1] < 0.6 and p[5] > 1.2 and p[2] > 0.15 > p[8]):
    raise SystemExit("changed")
PYTHON
