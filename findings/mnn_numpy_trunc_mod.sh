#!/usr/bin/env bash
# Expected: MNN.numpy's functions of numpy's names do as numpy does.
# Happens: `trunc(1.5)` is 2, as it rounds; `nonzero` passes over the negative numbers; `mod` of floats takes the sign of the
# first number, where numpy's takes that of the second, and `fmod` of whole numbers the other way round.
source "$(dirname "$0")/_venv.sh" mnn==3.6.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata

import MNN.numpy as mnn
import numpy as np

print("MNN", importlib.metadata.version("mnn"))
found, expected = {}, {}
for library, answers in ((mnn, found), (np, expected)):
    read = np.asarray if library is np else lambda one: one.read()
    answers["trunc"] = read(library.trunc(library.array([1.5, -1.5]))).tolist()
    answers["nonzero"] = read(library.nonzero(library.array([3.0, -1.5, 1.0]))[0]).tolist()
    answers["mod of floats"] = read(library.mod(library.array([-7.0]), library.array([2.0]))).tolist()
    answers["mod of integers"] = read(library.mod(library.array([-7]), library.array([2]))).tolist()
    answers["fmod of floats"] = read(library.fmod(library.array([-7.0]), library.array([2.0]))).tolist()
    answers["fmod of integers"] = read(library.fmod(library.array([-7]), library.array([2]))).tolist()
for name in found:
    print(f"{name}: {found[name]}, numpy {expected[name]}")
if [name for name in found if found[name] != expected[name]] != ["trunc", "nonzero", "mod of floats", "fmod of integers"]:
    raise SystemExit("changed")
PYTHON
