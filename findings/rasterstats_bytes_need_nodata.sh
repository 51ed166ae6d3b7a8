#!/usr/bin/env bash
# Expected: the mean of an image of bytes over a polygon, since bytes are what most imagery consists of; a default that does not fit
# the image's type can occur in no pixel.
# Happens: `zonal_stats` sets nodata to -999 where none is given, and raises an OverflowError about it on uint8 and uint16; on int16
# the same values have a mean.
source "$(dirname "$0")/_venv.sh" rasterstats==0.21.0 rasterio==1.4.4 shapely==2.2.0 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from rasterio.transform import from_origin
from rasterstats import zonal_stats
from shapely.geometry import box

print("rasterstats", importlib.metadata.version("rasterstats"))
told = {}
for dtype in (np.int16, np.uint8, np.uint16):
    try:
        told[dtype] = zonal_stats(box(0, 0, 2, 2), np.full((4, 4), 200, dtype), affine=from_origin(0, 4, 1, 1), stats="mean")[0]["mean"]
    except OverflowError as error:
        told[dtype] = f"OverflowError: {error}"
    print(f"{dtype.__name__}: {told[dtype]}")
if not (told[np.int16] == 200 and "-999" in told[np.uint8] and "-999" in told[np.uint16]):
    raise SystemExit("changed")
PYTHON
