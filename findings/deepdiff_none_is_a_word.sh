#!/usr/bin/env bash
# Expected: nothing and the word "NONE", which SPDX writes where a package states no license, differ, as 1 and the word "int:1" do;
# DeepDiff finds the difference whether it minds the order of a list or not.
# Happens: DeepHash hashes both alike, so that DeepDiff with `ignore_order=True` finds no difference between lists of them, at any
# depth, and finds it without.
source "$(dirname "$0")/_venv.sh" deepdiff==9.1.0
"$venv/bin/python" - <<'PYTHON'
import deepdiff

print("deepdiff", deepdiff.__version__)
told = []
for one, other in (([{"license": None}], [{"license": "NONE"}]), ([1], ["int:1"]), ([None], ["None"])):
    kept, ignored = deepdiff.DeepDiff(one, other), deepdiff.DeepDiff(one, other, ignore_order=True)
    told.append((bool(kept), bool(ignored)))
    print(f"{one} and {other} differ: {bool(kept)}; with ignore_order=True: {bool(ignored)}")
if told != [(True, False), (True, False), (True, True)]:
    raise SystemExit("changed")
PYTHON
