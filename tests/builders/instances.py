"""Small DICOM instances, and the bytes they travel as."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    generate_uid,
)

CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLEMENTATION = "1.2.826.0.1.3680043.8.498.1"


def ct(**overrides: Any) -> Dataset:
    """Return a CT slice (16 by 16, uncompressed) of a new study; `overrides` are by keyword.

    An override of None removes the attribute.
    """
    dataset = Dataset()
    for keyword, value in {**_identities(), **_descriptions(), **_pixels(), **overrides}.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def series(count: int, **overrides: Any) -> Iterator[Dataset]:
    """Yield `count` slices of one series, numbered from 1."""
    shared = {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid(), **overrides}
    for number in range(1, count + 1):
        yield ct(**{**shared, "InstanceNumber": number})


def encode(dataset: Dataset, syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Return the data set alone, without group 2, as it travels in that transfer syntax.

    Encapsulated syntaxes are explicit little endian here: the pixel data must be encapsulated already.
    """
    file = DicomBytesIO()
    file.is_implicit_VR = syntax_uid == ImplicitVRLittleEndian
    file.is_little_endian = syntax_uid != ExplicitVRBigEndian
    write_dataset(file, dataset, parent_encoding=dataset.get("SpecificCharacterSet", "ISO_IR 6"))
    data = file.getvalue()
    return _deflated(data) if syntax_uid == DeflatedExplicitVRLittleEndian else data


def part10(dataset: Dataset, syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """Return a whole PS3.10 file: preamble, group 2, data set."""
    return part10_of(
        encode(dataset, syntax_uid),
        syntax_uid,
        sop_class_uid=str(dataset.get("SOPClassUID", CT_IMAGE_STORAGE)),
        sop_uid=str(dataset.get("SOPInstanceUID", "1.2.3")),
    )


def part10_of(data: bytes, syntax_uid: str, *, sop_class_uid: str, sop_uid: str) -> bytes:
    """Return a whole PS3.10 file around the bytes of a data set, whatever they are."""
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(sop_uid)
    meta.TransferSyntaxUID = UID(syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION)
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_file_meta_info(file, meta)
    return b"\x00" * 128 + b"DICM" + file.getvalue() + data


def _deflated(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data) + deflater.flush()
    return deflated + b"\x00" * (len(deflated) % 2)


def _identities() -> dict[str, Any]:
    return {
        "SOPClassUID": CT_IMAGE_STORAGE,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "StudyID": "S1",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "AccessionNumber": "ACC-1001",
    }


def _descriptions() -> dict[str, Any]:
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Doe^Jane",
        "PatientID": "PAT-1",
        "PatientBirthDate": "19700131",
        "PatientSex": "F",
        "StudyDate": "20240229",
        "StudyTime": "101112",
        "StudyDescription": "Chest",
        "SeriesDescription": "Thin slices",
        "ReferringPhysicianName": "Who^Doctor",
        "Modality": "CT",
        "Manufacturer": "Builders",
        "InstitutionName": "Test Clinic",
    }


def _pixels(edge: int = 16) -> dict[str, Any]:
    return {
        "Rows": edge,
        "Columns": edge,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": bytes(range(256)) * (edge * edge * 2 // 256),
    }
