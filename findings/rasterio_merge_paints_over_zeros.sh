#!/usr/bin/env bash
# Expected: two rasters of bytes without a nodata value have no pixel that is invalid, so that `rasterio.merge` keeps all of the
# first one, or the smaller value of each pixel for "min".
# Happens: a 0 that is there already counts as empty: a mask of 0 (none) and 1 (water) keeps the ones of both rasters by "first", and
# the minimum of 0 and 9 is 9. Numbered from 1 the classes are merged rightly. There is no warning.
source "$(dirname "$0")/_venv.sh" rasterio==1.4.4 numpy==2.4.6
"$venv/bin/python" - <<'PYTHON'
import numpy as np
import rasterio
from rasterio.merge import merge
from rasterio.transform import from_origin

print("rasterio", rasterio.__version__)


def raster(name, values):
    values = np.array([values], np.uint8)
    frame = dict(driver="GTiff", width=values.shape[1], height=1, count=1, dtype="uint8", crs="EPSG:32632", transform=from_origin(0, 1, 1, 1))
    with rasterio.open(name, "w", **frame) as file:
        file.write(values, 1)
    return rasterio.open(name)


told = {}
for first, second in (([0, 1, 0], [1, 0, 9]), ([1, 2, 1], [2, 1, 9])):
    rasters = [raster("first.tif", first), raster("second.tif", second)]
    for method in ("first", "min"):
        told[method, first[0]] = merge(rasters, method=method)[0].ravel().tolist()
        print(f"{first} and {second}, {method}: {told[method, first[0]]}; nodata: {rasters[0].nodata}")
if told != {("first", 0): [1, 1, 9], ("min", 0): [1, 0, 9], ("first", 1): [1, 2, 1], ("min", 1): [1, 1, 1]}:
    raise SystemExit("changed")
PYTHON
