"""What a reader opens: a CT phantom whose grey values are known, in any transfer syntax, and a page of text."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

from tests.builders.instances import ct

EDGE = 128
# In Hounsfield units; stored with the intercept below.
CENTRE_HU, AIR_HU = 40, -1000
INTERCEPT = -1024
CHINESE_NAME = "Wang^XiaoDong=王^小东"


def phantom(slice_number: int = 1, edge: int = EDGE) -> np.ndarray:
    """Return one slice in Hounsfield units: a disc of 40 HU in a ramp of tissue, air around; (edge, edge) int16.

    The number of bright rods in the rim is the slice's, so that slices differ.
    """
    y, x = np.mgrid[0:edge, 0:edge] - edge / 2 + 0.5
    radius, angle = np.hypot(x, y) / (edge / 2), np.arctan2(y, x)
    pixels = np.full((edge, edge), AIR_HU, np.int16)
    body = radius < 0.9
    pixels[body] = (-150 + 380 * (x / edge + 0.5))[body].astype(np.int16)
    pixels[radius < 0.3] = CENTRE_HU
    turn = (angle + np.pi) / (2 * np.pi)
    pixels[(radius > 0.75) & body & (turn < (slice_number % 50) / 50)] = 900
    return pixels


def ct_slices(count: int, *, edge: int = EDGE, **overrides: Any) -> Iterator[Dataset]:
    """Yield `count` slices of the phantom as one CT series, 1 mm apart: enough geometry for a volume."""
    shared: dict[str, Any] = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
        **_geometry(edge),
        **overrides,
    }
    for number in range(1, count + 1):
        stored = (phantom(number, edge) - INTERCEPT).astype("<u2")
        yield ct(**{
            **shared,
            "InstanceNumber": number,
            "ImagePositionPatient": [-edge / 2, -edge / 2, float(number)],
            "SliceLocation": float(number),
            "PixelData": stored.tobytes(),
        })  # fmt: skip


def compressed(dataset: Dataset, syntax_uid: str) -> Dataset:
    """Return a copy whose pixel data is compressed without loss, with its group 2 as pydicom wants it."""
    copy = Dataset(dataset)
    copy.file_meta = _labels(dataset)
    copy["PixelData"].VR = "OW"
    copy.compress(UID(syntax_uid), generate_instance_uid=False)
    return copy


@cache
def page_pdf(text: str) -> bytes:
    """Return a PDF of one page that says `text`."""
    content = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, inner in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, inner)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    # Longer than what metadata carry inline, as every real document is.
    comment = b"%" + b" " * 1024
    places = (len(objects) + 1, len(body))
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % places
    return body + table + comment + b"\n" + trailer


def _geometry(edge: int) -> dict[str, Any]:
    return {
        "Rows": edge,
        "Columns": edge,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PixelSpacing": [1.0, 1.0],
        "SliceThickness": 1.0,
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PatientPosition": "HFS",
        "BitsStored": 16,
        "HighBit": 15,
        "RescaleIntercept": INTERCEPT,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "WindowCenter": 40,
        "WindowWidth": 400,
    }


def _labels(dataset: Dataset) -> FileMetaDataset:
    labels = FileMetaDataset()
    labels.TransferSyntaxUID = ExplicitVRLittleEndian
    labels.MediaStorageSOPClassUID = dataset.SOPClassUID
    labels.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return labels
