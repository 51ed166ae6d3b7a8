#!/usr/bin/env bash
# Expected: `pnnx.export` converts an nn.Sequential, the simplest of modules.
# Happens: it writes its files, ncnn's whole among them, and then raises SyntaxError from a Python file that it has written and
# imports, since that names attributes `self.0`, `self.1`.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 pnnx==20261020
"$venv/bin/python" - <<'PYTHON' 2>&1 | grep -E "^(pnnx|Sequential|the same)|changed"
import importlib.metadata
import pathlib

import pnnx
import torch

print("pnnx", importlib.metadata.version("pnnx"))


class Named(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 4, 3)

    def forward(self, images):
        return self.first(images).relu()


found = {}
for name, model in (("Sequential", torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU())), ("the same with names", Named())):
    file = name.split()[-1] + ".pt"
    try:
        pnnx.export(model.eval(), file, (torch.rand(1, 1, 8, 8),))
        found[name] = "converted"
    except SyntaxError as error:
        found[name] = f"SyntaxError in {pathlib.Path(str(error.filename)).name}: {error.text.strip()[:20]}"
    print(f"{name}: {found[name]}; ncnn's files are there: {pathlib.Path(file).with_suffix('.ncnn.param').exists()}")
if found["Sequential"] == "converted" or found["the same with names"] != "converted":
    raise SystemExit("changed")
PYTHON
