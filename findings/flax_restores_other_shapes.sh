#!/usr/bin/env bash
# Expected: `flax.serialization.from_bytes(target, ...)` fills the target with weights that fit it, or raises, as it does where a
# layer is missing or a list has another length.
# Happens: weights of another shape and another type take the target's places, and a layer that the target lacks is dropped, without
# an error or a warning: the fault shows when the model runs, or not at all.
source "$(dirname "$0")/_venv.sh" flax==0.12.8 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
"$venv/bin/python" -W error::UserWarning - <<'PYTHON'
import flax
import numpy as np
from flax.serialization import from_bytes, to_bytes

print("flax", flax.__version__)
target = {"weight": np.zeros((2, 3), np.float32), "bias": np.zeros(3, np.float32)}
stored = {
    "as the target": {"weight": np.ones((2, 3), np.float32), "bias": np.ones(3, np.float32)},
    "other shapes and types": {"weight": np.ones((5, 7), np.float16), "bias": np.ones(1, np.float64)},
    "a layer too many": {"weight": np.ones((2, 3), np.float32), "bias": np.ones(3, np.float32), "head": np.ones(9, np.float32)},
    "a layer too few": {"weight": np.ones((2, 3), np.float32)},
}
told = {}
for name, weights in stored.items():
    try:
        read = from_bytes(target, to_bytes(weights))
        told[name] = {layer: f"{value.dtype} {list(value.shape)}" for layer, value in read.items()}
    except ValueError as error:
        told[name] = type(error).__name__
    print(f"{name}: {told[name]}")
fits = {"weight": "float32 [2, 3]", "bias": "float32 [3]"}
if told != {
    "as the target": fits,
    "other shapes and types": {"weight": "float16 [5, 7]", "bias": "float64 [1]"},
    "a layer too many": fits,
    "a layer too few": "ValueError",
}:
    raise SystemExit("changed")
PYTHON
