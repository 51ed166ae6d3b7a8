#!/usr/bin/env bash
# Expected: a NIfTI volume that nii2dcm writes as DICOM lies where it lay: the first voxel, 10 mm to the right, 20 mm to the front and
# 30 mm up, is 10 mm to the right, 20 mm to the front and 30 mm up, and has the value that it had.
# Happens: x and y are taken over into DICOM's axes, which point the other way, and the slices are counted from -1: it is 10 mm to the
# left, 20 mm to the back and 25 mm up. Values become uint16: -1000 is 64536, and all of an image between 0 and 1 is 0.
source "$(dirname "$0")/_venv.sh" nii2dcm==0.1.6 numpy==1.23.2 nibabel==5.0.0 pydicom==2.3.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from nii2dcm.run import run_nii2dcm

print("nii2dcm", importlib.metadata.version("nii2dcm"))
affine = np.diag([1.0, 2.0, 5.0, 1.0])
affine[:3, 3] = 10, 20, 30
volumes = {"hounsfield": np.full((8, 6, 4), -1000, np.int16), "unit": np.linspace(0, 0.99, 8 * 6 * 4, dtype=np.float32).reshape(8, 6, 4)}
volumes["hounsfield"][2:4] = 1000
found = {}
for name, volume in volumes.items():
    Path(name).mkdir()
    nibabel.save(nibabel.Nifti1Image(volume, affine), f"{name}.nii.gz")
    with contextlib.redirect_stdout(io.StringIO()):
        run_nii2dcm(f"{name}.nii.gz", name, dicom_type="MR")
    slices = [pydicom.dcmread(path) for path in sorted(Path(name).glob("*.dcm"))]
    left, back, up = (float(each) for each in slices[0].ImagePositionPatient)
    found[name] = (-left, -back, up), sorted({int(value) for each in slices for value in each.pixel_array.ravel()})
    print(f"{name}: right, front and up by NIfTI (10.0, 20.0, 30.0), by DICOM {found[name][0]}")
    print(f"    values {volume.min()} to {volume.max()} are written as {found[name][1]}")
if found != {"hounsfield": ((-10.0, -20.0, 25.0), [1000, 64536]), "unit": ((-10.0, -20.0, 25.0), [0])}:
    raise SystemExit("changed")
PYTHON
