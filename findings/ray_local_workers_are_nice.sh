#!/usr/bin/env bash
# Expected: processes that Ray starts on this machine have the priority of the program that starts them.
# Happens: they run at niceness 15, behind every other program of the machine, the one that waits for them among these.
source "$(dirname "$0")/_venv.sh" ray==2.60.0
"$venv/bin/python" - <<'PYTHON'
import os

import ray

print("ray", ray.__version__)
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
there = ray.get(ray.remote(lambda: os.nice(0)).remote())
print(f"the program runs at niceness {os.nice(0)}, its worker at {there}")
ray.shutdown()
if there - os.nice(0) < 15:
    raise SystemExit("changed")
PYTHON
