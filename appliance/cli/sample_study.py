"""The sample study: two small synthetic CT series of nobody."""

from __future__ import annotations

import uuid

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from appliance.cli.phantom import SIDE, scout_pixels, slice_pixels

SLICES = 8
SCOUTS = 2
SPACING_MM = 0.9
THICKNESS_MM = 20.0


def study(box: str) -> list[Dataset]:
    """The images of the sample study; `box` names the site, so that two boxes send different UIDs.

    Always the same bytes for the same box. No value stems from a person.
    """
    axial = [_axial(box, at) for at in range(SLICES)]
    return axial + [_scout(box, at) for at in range(SCOUTS)]


def _uid(box: str, part: str) -> str:
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, f'dicom-edge-appliance sample {box} {part}').int}"


def _image(box: str, series: int, number: int) -> Dataset:
    ds = Dataset()
    ds.SpecificCharacterSet = "GB18030"
    ds.SOPClassUID = CTImageStorage
    ds.SOPInstanceUID = _uid(box, f"image {series}.{number}")
    ds.StudyDate, ds.StudyTime = "20260105", "093000"
    ds.AccessionNumber = "SAMPLE-0001"
    ds.Modality, ds.Manufacturer = "CT", "dicom-edge-appliance"
    ds.ReferringPhysicianName = "Sample^Referrer=示例^医生"
    ds.StudyDescription = "Sample study (synthetic)"
    ds.PatientName = "Sample^Patient=示例^患者"
    ds.PatientID = "SAMPLE-1"
    ds.PatientBirthDate, ds.PatientSex = "19700101", "O"
    ds.StudyInstanceUID = _uid(box, "study")
    ds.SeriesInstanceUID = _uid(box, f"series {series}")
    ds.FrameOfReferenceUID = _uid(box, "frame of reference")
    ds.PositionReferenceIndicator = ""
    ds.StudyID = "SAMPLE"
    ds.SeriesNumber, ds.AcquisitionNumber, ds.InstanceNumber = series, 1, number
    ds.KVP = "120"
    _pixel_module(ds)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return ds


def _pixel_module(ds: Dataset) -> None:
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = SIDE
    ds.PixelSpacing = [SPACING_MM, SPACING_MM]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"


def _axial(box: str, at: int) -> Dataset:
    ds = _image(box, 2, at + 1)
    z = (at - (SLICES - 1) / 2) * THICKNESS_MM
    edge = -(SIDE - 1) / 2 * SPACING_MM
    ds.SeriesDescription, ds.BodyPartExamined = "Head axial", "HEAD"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SliceThickness, ds.SliceLocation = THICKNESS_MM, z
    ds.ImagePositionPatient = [edge, edge, z]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.WindowCenter, ds.WindowWidth = "40", "120"
    ds.PixelData = slice_pixels(2 * at / (SLICES - 1) - 1)
    ds["PixelData"].VR = "OW"
    return ds


def _scout(box: str, at: int) -> Dataset:
    ds = _image(box, 1, at + 1)
    edge = (SIDE - 1) / 2 * SPACING_MM
    from_front = at == 0
    ds.SeriesDescription, ds.BodyPartExamined = "Scout", "HEAD"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ds.SliceThickness = SPACING_MM
    ds.ImagePositionPatient = [-edge, 0.0, edge] if from_front else [0.0, -edge, edge]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1] if from_front else [0, 1, 0, 0, 0, -1]
    ds.WindowCenter, ds.WindowWidth = "300", "1200"
    ds.PixelData = scout_pixels(from_front)
    ds["PixelData"].VR = "OW"
    return ds
