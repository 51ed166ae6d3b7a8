#!/usr/bin/env bash
# Expected: with `include_paths=True` checksumdir tells whether a file within a folder was renamed; a copy of the folder has the same
# checksum, from wherever it is asked.
# Happens: the paths are taken from the current directory, not from the folder: a copy, and the folder itself once it is asked about
# from another directory, have other checksums.
source "$(dirname "$0")/_venv.sh" checksumdir==1.3.0
"$venv/bin/python" - <<'PYTHON'
import importlib.metadata
import os
import shutil
from pathlib import Path

from checksumdir import dirhash

print("checksumdir", importlib.metadata.version("checksumdir"))
one = Path("one").absolute()
(one / "weights").mkdir(parents=True)
(one / "weights" / "a.bin").write_bytes(b"a")
shutil.copytree(one, "two")


def told(path):
    return dirhash(str(path), "sha256", include_paths=True)[:12], dirhash(str(path), "sha256")[:12]


found = {"the folder": told(one), "its copy": told("two")}
os.chdir(one)
found["the folder, from within it"] = told(one)
for name, (paths, contents) in found.items():
    print(f"{name}: with paths {paths}, without {contents}")
if len({paths for paths, _ in found.values()}) != 3 or len({contents for _, contents in found.values()}) != 1:
    raise SystemExit("changed")
PYTHON
