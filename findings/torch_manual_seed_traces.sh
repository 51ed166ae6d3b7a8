#!/usr/bin/env bash
# Expected: seeding takes a microsecond, as `torch.default_generator.manual_seed` does.
# Happens: without a GPU, `torch.manual_seed` formats the caller's stack on every call, for an error message in case
# CUDA is initialised later: hundreds of microseconds, and milliseconds from deep inside a program.
source "$(dirname "$0")/_venv.sh" torch==2.14.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import timeit

import torch


def below(frames, call):
    return call() if frames == 0 else below(frames - 1, call)


def microseconds(call):
    return timeit.timeit(call, number=200) / 200 * 1e6


if torch.cuda.is_available():
    raise SystemExit("needs a machine without a GPU")
plain = microseconds(lambda: torch.default_generator.manual_seed(0))
shallow = microseconds(lambda: torch.manual_seed(0))
deep = microseconds(lambda: below(50, lambda: torch.manual_seed(0)))
print(f"the generator alone {plain:.0f} us, torch.manual_seed {shallow:.0f} us, below 50 frames {deep:.0f} us")
if shallow < 20 * plain or deep < 1.5 * shallow:
    raise SystemExit("changed: seeding no longer formats the stack")
PYTHON
