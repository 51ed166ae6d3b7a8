#!/usr/bin/env bash
# Expected: a region of columns 20 to 24 and rows 10 to 12, in a series whose rows are 2 mm apart and whose columns 0.5 mm, is written
# into the structure set at x = 10 to 12 mm and y = 20 to 24 mm, and is read again as the mask that it was.
# Happens: rt-utils multiplies the columns by the distance of the rows and the other way round: x = 40 to 48 mm, y = 5 to 6 mm. A mask of
# 40 rows and 30 columns is read again as one of 30 rows and 40 columns.
source "$(dirname "$0")/_venv.sh" rt-utils==1.2.7 pydicom==3.0.1 numpy==2.4.6 opencv-python==5.0.0.93
"$venv/bin/python" -W ignore - <<'PYTHON'
import contextlib
import importlib.metadata
import io
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from rt_utils import RTStructBuilder

print("rt-utils", importlib.metadata.version("rt-utils"))
Path("series").mkdir()
study, series, frame = generate_uid(), generate_uid(), generate_uid()
for number in range(3):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    scan = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    scan.SOPClassUID, scan.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
    scan.StudyInstanceUID, scan.SeriesInstanceUID, scan.FrameOfReferenceUID = study, series, frame
    scan.Modality, scan.PatientName, scan.PatientID, scan.StudyID = "CT", "example", "1", "1"
    scan.PatientBirthDate, scan.PatientSex, scan.StudyDate, scan.StudyTime = "", "", "20260101", "000000"
    scan.PixelSpacing, scan.ImageOrientationPatient = [2, 0.5], [1, 0, 0, 0, 1, 0]
    scan.ImagePositionPatient, scan.SliceThickness, scan.InstanceNumber = [0, 0, 3 * number], 3, number + 1
    scan.Rows, scan.Columns, scan.SamplesPerPixel, scan.PhotometricInterpretation = 40, 30, 1, "MONOCHROME2"
    scan.BitsAllocated, scan.BitsStored, scan.HighBit, scan.PixelRepresentation = 16, 16, 15, 0
    scan.PixelData = bytes(2 * 40 * 30)
    scan.save_as(f"series/{number}.dcm", enforce_file_format=True)
mask = np.zeros((40, 30, 3), bool)
mask[10:13, 20:25, 1] = True
with contextlib.redirect_stdout(io.StringIO()):
    builder = RTStructBuilder.create_new(dicom_series_path="series")
    builder.add_roi(mask=mask, name="region")
    builder.save("region.dcm")
    again = RTStructBuilder.create_from(dicom_series_path="series", rt_struct_path="region.dcm").get_roi_mask_by_name("region")
contour = pydicom.dcmread("region.dcm").ROIContourSequence[0].ContourSequence[0].ContourData
points = np.array(contour, dtype=float).reshape(-1, 3)
ends = [(float(points[:, axis].min()), float(points[:, axis].max())) for axis in (0, 1)]
print(f"by the DICOM header: x = 10 to 12 mm, y = 20 to 24 mm; written: x = {ends[0]}, y = {ends[1]}")
print(f"the mask: {mask.shape}; read again: {again.shape}, its rows {sorted(set(np.nonzero(again)[0].tolist()))}")
if ends != [(40.0, 48.0), (5.0, 6.0)] or again.shape != (30, 40, 3):
    raise SystemExit("changed")
PYTHON
