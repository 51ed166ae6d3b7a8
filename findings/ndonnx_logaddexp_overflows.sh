#!/usr/bin/env bash
# Expected: `logaddexp` exists in order not to overflow: of 1,000 and 1,000 it is 1,000.69, by the array API standard, whose
# function it is, and by numpy, torch and scipy.
# Happens: ndonnx writes Log(Exp(a) + Exp(b)) into the model: inf for 1,000, and -inf for -1,000, in 64 bits; in 32 bits from 89 on. Sums of
# log-likelihoods of a few hundred samples are of this size.
source "$(dirname "$0")/_venv.sh" ndonnx==0.23.0 spox==0.18.2 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import ndonnx
import numpy as np

print("ndonnx", ndonnx.__version__)
told = {}
for kind in (np.float64, np.float32):
    for value in (10, 89, 1000, -1000):
        values = np.array([value], kind)
        told[kind, value] = float(ndonnx.logaddexp(ndonnx.asarray(values), ndonnx.asarray(values)).unwrap_numpy()[0])
        print(f"{kind.__name__}, {value} and {value}: {told[kind, value]:.2f}, by numpy {float(np.logaddexp(values, values)[0]):.2f}")
if not (
    abs(told[np.float64, 10] - 10.69) < 0.01 and told[np.float64, 1000] == np.inf and told[np.float64, -1000] == -np.inf and told[np.float32, 89] == np.inf
):
    raise SystemExit("changed")
PYTHON
