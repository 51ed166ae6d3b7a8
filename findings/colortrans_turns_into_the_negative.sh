#!/usr/bin/env bash
# Expected: giving a photograph the colours of another one leaves what is in it: bright places stay brighter than dark ones. A photograph
# in black and white is recoloured, or refused.
# Happens: with `transfer_pccm` of colortrans the photograph becomes its own negative for about every second reference, by the sign
# that an eigenvector happens to have. With it, and with the default `transfer_lhm`, black and white comes out as a black image,
# and so does any photograph that is given one in black and white for reference.
source "$(dirname "$0")/_venv.sh" colortrans==1.1.0 numpy==2.4.6 pillow==13.0.0 scikit-learn==1.9.1 scipy==1.17.1
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import colortrans
import numpy as np
from sklearn.datasets import load_sample_image

print("colortrans", importlib.metadata.version("colortrans"))
temple, flower = (load_sample_image(name)[::4, ::4] for name in ("china.jpg", "flower.jpg"))
grey = np.repeat(temple.mean(2, keepdims=True).astype(np.uint8), 3, 2)
told = {}
for method in colortrans.METHODS:
    transfer, draw = getattr(colortrans, f"transfer_{method}"), np.random.default_rng(0)
    negatives = 0
    for _ in range(100):
        top, left = draw.integers(0, temple.shape[0] - 40), draw.integers(0, temple.shape[1] - 40)
        given = transfer(temple, flower[top : top + 40, left : left + 40])
        negatives += np.corrcoef(given.mean(2).ravel(), temple.mean(2).ravel())[0, 1] < -0.5
    black = [int(transfer(*pair).max()) for pair in ((grey, flower), (temple, grey))]
    told[method] = int(negatives), black
    print(f"{method}: {negatives} of 100 references make a negative; brightest value of {grey.max()} in black and white {black[0]}, after it {black[1]}")
if told["lhm"] != (0, [0, 0]) or told["pccm"][1] != [0, 0] or not 25 < told["pccm"][0] < 75 or min(told["reinhard"][1]) < 100 or told["reinhard"][0]:
    raise SystemExit("changed")
PYTHON
