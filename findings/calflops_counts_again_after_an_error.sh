#!/usr/bin/env bash
# Expected: a count of operations depends on the model and its input; after an error (an input of the wrong shape, say) the next
# count is what it was before.
# Happens: calflops wraps torch's functions, and where the model raises it does not take them off again: each error adds one wrapper
# that counts for every model, so that a Linear of 8,192 operations has 16,384 after one error and 24,576 after two.
source "$(dirname "$0")/_venv.sh" calflops==0.3.2 torch==2.14.1 transformers==5.24.0 accelerate==1.15.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import torch
from calflops import calculate_flops

print("calflops", importlib.metadata.version("calflops"))


def count(model):
    return calculate_flops(model, input_shape=(1, 64), print_results=False, output_as_string=False)[0]


right, wrong = torch.nn.Linear(64, 64), torch.nn.Sequential(torch.nn.Linear(32, 3))
counts = [count(right), count(right)]
print(f"Linear, counted twice: {counts}")
for number in (1, 2):
    try:
        count(wrong)
    except RuntimeError as error:
        print(f"another model: RuntimeError: {str(error):.40}")
    counts.append(count(right))
    print(f"Linear after {number} of them: {counts[-1]}")
if counts != [8192, 8192, 16384, 24576]:
    raise SystemExit("changed")
PYTHON
