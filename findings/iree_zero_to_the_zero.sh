#!/usr/bin/env bash
# Expected: float32 functions compiled for a CPU answer as numpy's and C's do: a power of 0 is 1, atan2(0, 0) is 0, and the sine of
# an argument up to a million is right up to 1e-6.
# Happens: IREE's CPU code answers nan for 0 ** 0 and (-1) ** 0 and for atan2(0, 0); its sine is off by 0.0007 for arguments up to
# 10,000 and by 0.05 up to a million, since it takes the multiples of pi off in single precision. exp, log and tanh are right.
source "$(dirname "$0")/_venv.sh" iree-base-compiler==3.13.0 iree-base-runtime==3.13.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import iree.compiler
import iree.runtime
import numpy as np

print("iree", importlib.metadata.version("iree-base-compiler"))


def computed(operator, *values):
    kind = f"tensor<{len(values[0])}xf32>"
    parameters = ", ".join(f"%{number}: {kind}" for number in range(len(values)))
    names = ", ".join(f"%{number}" for number in range(len(values)))
    body = f"%answer = {operator} {names} : {kind} return %answer : {kind}"
    source = f"module @model {{ func.func @main({parameters}) -> {kind} {{ {body} }} }}"
    binary = iree.compiler.compile_str(source, target_backends=["llvm-cpu"], extra_args=["--iree-llvmcpu-target-cpu=generic"])
    context = iree.runtime.SystemContext(config=iree.runtime.Config("local-task"))
    context.add_vm_module(iree.runtime.VmModule.copy_buffer(context.instance, binary))
    return np.asarray(context.modules.model["main"](*[np.array(value, np.float32) for value in values]))


powers = computed("math.powf", [0, -1, 2], [0, 0, 0]).tolist()
print(f"0 ** 0, (-1) ** 0, 2 ** 0: {powers}, by numpy {np.power([0.0, -1, 2], 0).tolist()}")
angle = computed("math.atan2", [0, 1], [0, 0]).tolist()
print(f"atan2(0, 0), atan2(1, 0): {angle}, by numpy {np.arctan2([0.0, 1], 0).round(4).tolist()}")
off = {}
for operator, reference, limit in (("sin", np.sin, 10), ("sin", np.sin, 1e4), ("sin", np.sin, 1e6), ("tanh", np.tanh, 1e6)):
    values = np.random.default_rng(0).uniform(-limit, limit, 1000).astype(np.float32)
    off[operator, limit] = float(np.abs(computed(f"math.{operator}", values) - reference(values.astype(float))).max())
    print(f"{operator} up to {limit:g}: off by {off[operator, limit]:.1e}, numpy's float32 by {np.abs(reference(values) - reference(values.astype(float))).max():.1e}")
if not (np.isnan(powers).tolist() == [True, True, False] and np.isnan(angle[0]) and off["sin", 1e6] > 0.01 and off["tanh", 1e6] < 1e-6):
    raise SystemExit("changed")
PYTHON
