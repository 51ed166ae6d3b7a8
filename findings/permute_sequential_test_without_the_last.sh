#!/usr/bin/env bash
# Expected: a sequential probability ratio test looks at the observations one after the other and stops at the first that settles it;
# after the last one it has seen all of them.
# Happens: permute's `sprt` stops before the last one is seen: two successes whose likelihood ratio is 81, above the bound of 19, are
# "not settled" at a ratio of 9, and a single observation is never looked at, however clear. With `random_order=False` they settle it.
source "$(dirname "$0")/_venv.sh" permute==0.2 cryptorandom==0.4 numpy==2.4.6 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

from permute.sprt import bernoulli_lh_ratio, sprt

print("permute", importlib.metadata.version("permute"))
found = {}
for wins, (null, other) in (([1, 1], (0.1, 0.9)), ([1, 1, 0], (0.1, 0.9)), ([1], (0.001, 0.999))):
    for random_order in (True, False):
        (rejects, accepts), ratio = sprt(lambda x: bernoulli_lh_ratio(x, null, other), 0.05, 0.05, wins, random_order)
        found[len(wins), random_order] = rejects, round(float(ratio))
    whole = bernoulli_lh_ratio(wins, null, other)
    print(f"{wins}, ratio {whole:.0f}: (rejects, at the ratio) in order {found[len(wins), True]}, at once {found[len(wins), False]}")
if (found[2, True], found[2, False]) != ((False, 9), (True, 81)) or (found[1, True], found[1, False]) != ((False, 1), (True, 999)):
    raise SystemExit("changed")
PYTHON
