#!/usr/bin/env bash
# Expected: `safetensors.torch.load(bytes)` reads whatever `save` wrote, as `load_file` does.
# Happens: for float8_e8m0fnu and float4_e2m1fn_x2 `save` writes and `load_file` reads, but `load` raises KeyError.
source "$(dirname "$0")/_venv.sh" safetensors==0.8.0 torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import safetensors
import torch
from safetensors.torch import load, load_file, save, save_file

print("safetensors", safetensors.__version__)
for dtype in (torch.float8_e8m0fnu, torch.float4_e2m1fn_x2):
    tensor = torch.tensor([127, 126], dtype=torch.uint8).view(dtype)
    save_file({"x": tensor}, "x.safetensors")
    assert load_file("x.safetensors")["x"].dtype == dtype
    try:
        load(save({"x": tensor}))
    except KeyError as error:
        print(f"{dtype}: load_file reads it, load raises KeyError {error}")
    else:
        raise SystemExit("changed: load reads it")
PYTHON
