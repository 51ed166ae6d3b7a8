#!/usr/bin/env bash
# Expected: a DICOM image is read in its own units, the stored number times the slope plus the intercept, whatever these are; and a region
# of 4 x 4 pixels is a mask of 16 pixels or, with its outline, 25.
# Happens: dicom-contour does both only where the intercept is not 0: the images of a PET, which have a slope and no intercept, are read as
# the stored numbers, which differ from slice to slice. A region loses its outline: 9 pixels of 4 x 4, and 1 of 2 x 2.
source "$(dirname "$0")/_venv.sh" dicom-contour==2 pydicom==2.4.4 numpy==1.23.5 scipy==1.10.1 matplotlib==3.7.5 pillow==13.0.0
"$venv/bin/python" -W ignore - <<'PYTHON'
import importlib.metadata

import numpy as np
from dicom_contour.utils import parse_dicom_file, poly_to_mask
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, PositronEmissionTomographyImageStorage, generate_uid

print("dicom-contour", importlib.metadata.version("dicom-contour"))
read = {}
for slope, intercept in ((1, -1024), (0.5, -10), (0.5, 0), (0.25, 0)):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = PositronEmissionTomographyImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = FileDataset("", {}, file_meta=meta, preamble=bytes(128), is_implicit_VR=False, is_little_endian=True)
    scan.SOPClassUID, scan.SOPInstanceUID, scan.Modality = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID, "PT"
    scan.Rows, scan.Columns, scan.SamplesPerPixel, scan.PhotometricInterpretation = 8, 8, 1, "MONOCHROME2"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 16, 15, 0
    scan.RescaleSlope, scan.RescaleIntercept = slope, intercept
    scan.PixelData = np.full((8, 8), 1000, np.uint16).tobytes()
    scan.save_as("scan.dcm", write_like_original=False)
    read[slope, intercept] = float(parse_dicom_file("scan.dcm").max())
    print(f"1000 with a slope of {slope} and an intercept of {intercept}: {read[slope, intercept]}, by DICOM {1000 * slope + intercept}")
sizes = {side: int(poly_to_mask([(2, 2), (2 + side, 2), (2 + side, 2 + side), (2, 2 + side)], 16, 16).sum()) for side in (2, 4, 8)}
print(f"pixels of a square, by its side: {sizes}")
if read != {(1, -1024): -24, (0.5, -10): 490, (0.5, 0): 1000, (0.25, 0): 1000} or sizes != {2: 1, 4: 9, 8: 49}:
    raise SystemExit("changed")
PYTHON
