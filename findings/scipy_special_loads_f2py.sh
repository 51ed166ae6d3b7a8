#!/usr/bin/env bash
# Expected: `import scipy.special`, a module of compiled functions, loads numpy's arrays and little else.
# Happens: it also loads numpy's Fortran wrapper generator (`numpy.f2py`) and numpy's test helpers (`numpy.testing`).
source "$(dirname "$0")/_venv.sh" scipy==1.17.1 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import sys

import numpy

wanted = ("numpy.f2py", "numpy.testing")
before = [name for name in wanted if name in sys.modules]
import scipy.special

after = [name for name in wanted if name in sys.modules]
print(f"after numpy: {before}; after scipy.special: {after}")
if before or after != list(wanted):
    raise SystemExit("changed: scipy.special no longer loads them")
PYTHON
