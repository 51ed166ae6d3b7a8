#!/usr/bin/env bash
# Expected: the modified Wilson interval of 9 of 10 is the mirror image of that of 1 of 10, and its lower end is below its upper one.
# Happens: diff-binom-confint bounds the failures where it should bound the successes: for 8 or 9 of 10, 28 or 29 of 30, 57 to 59 of 60 the
# upper end is near 0, the interval of 59 of 60 is 0.91 to 0.0004, and no part at all lies in them. Those of 1 of 10 and of 1 of 60 are right.
source "$(dirname "$0")/_venv.sh" diff-binom-confint==0.1.0 scipy==1.17.1 numpy==2.3.5
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

from diff_binom_confint import compute_confidence_interval

print("diff-binom-confint", importlib.metadata.version("diff-binom-confint"))


def ends(successes, count, kind):
    interval = compute_confidence_interval(successes, count, method=kind)
    return round(float(interval.lower_bound), 4), round(float(interval.upper_bound), 4)


for kind in ("wilson", "modified-wilson"):
    print(f"{kind}: 1 of 10 {ends(1, 10, kind)}, 9 of 10 {ends(9, 10, kind)}, 59 of 60 {ends(59, 60, kind)}")
upside = {}
for count in (10, 30, 60):
    intervals = [ends(each, count, "modified-wilson") for each in range(count + 1)]
    upside[count] = [each for each, (lower, upper) in enumerate(intervals) if lower > upper]
print(f"modified-wilson, the lower end above the upper one: {upside}")
if upside != {10: [8, 9], 30: [28, 29], 60: [57, 58, 59]}:
    raise SystemExit("changed")
PYTHON
