#!/usr/bin/env bash
# Expected: importing a converter imports it; what it needs is among the requirements of its package.
# Happens: `import MNN.tools.mnnconvert` runs `pip install -U aliyun-log-python-sdk` with the first `pip` of the PATH, whichever
# environment that belongs to, since it wants to send a report of each conversion. Where that fails it converts all the same.
source "$(dirname "$0")/_venv.sh" mnn==3.6.1 numpy==2.4.6
mkdir first
printf '#!/bin/sh\necho "pip $*" >>"%s/asked"\nexit 1\n' "$temporary" >first/pip
chmod +x first/pip
PATH=$temporary/first:$PATH "$venv/bin/python" - 2>&1 <<'PYTHON'
import importlib.metadata
import pathlib

import MNN

print("MNN", importlib.metadata.version("MNN"), "requires", importlib.metadata.requires("MNN"))
before = pathlib.Path("asked").exists()
from MNN.tools import mnnconvert

asked = pathlib.Path("asked").read_text().split("\n")[:-1] if pathlib.Path("asked").exists() else []
print("what `import MNN` asks of pip:", before, "and `import MNN.tools.mnnconvert`:", asked)
print("the converter is there:", callable(mnnconvert.convert))
if before or set(asked) != {"pip install -U aliyun-log-python-sdk"}:
    raise SystemExit("changed")
PYTHON
