"""The canary: three small CT slices of nobody, one of them compressed, under UIDs of their own."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless

PATIENT = "DICOM-EDGE-SELFTEST"
NAME = "Selftest^Synthetic"
SLICES = 3
SIDE = 64
GRAYS = 4096


@dataclass(frozen=True, slots=True)
class Canary:
    """One study. `images` are in the order they are sent; the last one is compressed (RLE)."""

    study_uid: str
    series_uid: str
    images: Sequence[Dataset]


def new_uid() -> str:
    """Return a UID that nobody has: 2.25 and a random UUID (PS3.5 annex B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def canary(study_uid: str, now: datetime) -> Canary:
    """Make the study of a UID; `now` becomes its date. No value stems from a person."""
    series_uid = new_uid()
    images = [_image(study_uid, series_uid, number, now) for number in range(1, SLICES + 1)]
    images[-1].compress(RLELossless, encoding_plugin="pydicom", generate_instance_uid=False)
    return Canary(study_uid, series_uid, images)


def _image(study_uid: str, series_uid: str, number: int, now: datetime) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, new_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = new_uid(), ""
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    ds.StudyDate, ds.StudyTime = f"{now:%Y%m%d}", f"{now:%H%M%S}"
    ds.AccessionNumber, ds.StudyID = "SELFTEST", "SELFTEST"
    ds.Modality, ds.Manufacturer = "CT", "dicom-edge-appliance"
    ds.StudyDescription = ds.SeriesDescription = "Self-test (synthetic)"
    ds.PatientName, ds.PatientID = NAME, f"{PATIENT}-{study_uid[-8:]}"
    ds.PatientBirthDate, ds.PatientSex, ds.ReferringPhysicianName, ds.KVP = "", "O", "", None
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = 1, 1, number
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 10 * number], [1, 0, 0, 0, 1, 0]
    ds.SliceThickness = 10
    _pixels(ds, number)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _pixels(ds: Dataset, number: int) -> None:
    """A ramp from dark to bright, turned by one step a slice."""
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = SIDE
    ds.PixelSpacing = [1, 1]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "1024", "4096"
    count = SIDE * SIDE
    ds.PixelData = b"".join(((at * GRAYS // count + 64 * number) % GRAYS).to_bytes(2, "little") for at in range(count))
    ds["PixelData"].VR = "OW"
