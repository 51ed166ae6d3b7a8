#!/usr/bin/env bash
# Expected: by the DICOM window of soft tissue (centre 40, width 400) a voxel of 40 Hounsfield units is mid-grey, 127, in every slice of a
# series; 0 units are 102 and 80 units 153.
# Happens: dicom2jpg applies the window and then stretches each slice to its own darkest and brightest voxel: 40 units are 255 in a slice
# with air and tissue, 127 with bone in it, and 0 in one of tissue alone; where all lies between 0 and 80, these are black and white.
source "$(dirname "$0")/_venv.sh" dicom2jpg==0.1.10 pydicom==3.0.2 opencv-python==5.0.0.93 numpy==2.4.6
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import dicom2jpg
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

print("dicom2jpg", importlib.metadata.version("dicom2jpg"))


def grey(units):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    scan.SOPClassUID, scan.SOPInstanceUID, scan.Modality = CTImageStorage, meta.MediaStorageSOPInstanceUID, "CT"
    scan.Rows, scan.Columns, scan.SamplesPerPixel, scan.PhotometricInterpretation = 1, len(units), 1, "MONOCHROME2"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 16, 15, 1
    scan.RescaleSlope, scan.RescaleIntercept, scan.WindowCenter, scan.WindowWidth = 1, 0, 40, 400
    scan.PixelData = np.array(units, "<i2").tobytes()
    scan.save_as("slice.dcm", enforce_file_format=True)
    return dicom2jpg.dicom2img("slice.dcm").ravel().tolist()


slices = {"air and tissue": [-1000, 40], "air, tissue and bone": [-1000, 40, 1000], "tissue": [40, 40], "0 to 80": [0, 40, 80]}
told = {name: grey(units) for name, units in slices.items()}
for name, units in slices.items():
    right = [round(min(max((unit - 40 + 200) / 400, 0), 1) * 255) for unit in units]
    print(f"{name}: {units} units are {told[name]}, by the window {right}")
if [each[1] for each in told.values()] != [255, 127, 0, 127] or told["0 to 80"] != [0, 127, 255]:
    raise SystemExit("changed")
PYTHON
