#!/usr/bin/env bash
# Expected: metrics of uint8 images are those of the same images as floats, or an error; `peak_signal_noise_ratio`
# does it right.
# Happens: `mean_squared_error` and `mean_absolute_error` subtract in uint8, which wraps, and return a wrong number
# without a warning.
source "$(dirname "$0")/_venv.sh" torchmetrics==1.9.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import torch
import torchmetrics
from torchmetrics.functional import mean_absolute_error, mean_squared_error
from torchmetrics.functional.image import peak_signal_noise_ratio

print("torchmetrics", torchmetrics.__version__)
one = torch.tensor([0, 10, 250, 5], dtype=torch.uint8)
other = torch.tensor([10, 0, 5, 250], dtype=torch.uint8)
for name, metric, right in (
    ("mean_squared_error", mean_squared_error, False),
    ("mean_absolute_error", mean_absolute_error, False),
    ("peak_signal_noise_ratio", lambda a, b: peak_signal_noise_ratio(a, b, data_range=255.0), True),
):
    bytes_, floats = metric(one, other).item(), metric(one.float(), other.float()).item()
    print(f"{name}: {bytes_:.4g} of uint8, {floats:.4g} of floats")
    if (abs(bytes_ - floats) < 1e-3) != right:
        raise SystemExit("changed")
PYTHON
