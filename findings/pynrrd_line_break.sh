#!/usr/bin/env bash
# Expected: a text of two lines in a NRRD header is escaped, as the format says ("\n" for a line break), or refused when it is written.
# Happens: `nrrd.write` writes the line break as it is, so that the file cannot be read again: `nrrd.read` raises a ValueError about
# the second line, or takes the second line for a field of the header and reads another image.
source "$(dirname "$0")/_venv.sh" pynrrd==1.1.3 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import nrrd
import numpy as np

print("pynrrd", importlib.metadata.version("pynrrd"))
told = []
for note in ("one line", "two\nlines", "spacings in mm\nspacings: 2 2"):
    nrrd.write("image.nrrd", np.ones((2, 3)), {"note": note})
    try:
        header = nrrd.read("image.nrrd")[1]
        told.append(f"note {header['note']!r}, spacings {header.get('spacings')}")
    except ValueError as error:
        told.append(f"ValueError: {error}")
    print(f"{note!r}: {told[-1]}")
if not ("one line" in told[0] and "ValueError" in told[1] and "[2. 2.]" in told[2]):
    raise SystemExit("changed")
PYTHON
