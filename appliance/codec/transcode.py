"""The operation "transcode": a whole object as a Part 10 file in explicit VR little endian, frame by frame."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian

from appliance.codec.byte_order import to_little_endian
from appliance.codec.frame import ImageFacts
from appliance.codec.opened import Opened
from appliance.codec.refusal import Refusal, TooMuch

# Offset tables tell of fragments that are no more; what describes the pixels is written anew.
GONE: Final = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
PIXEL_HEADERS: Final = {
    "PixelData": (0x7FE0, 0x0010), "FloatPixelData": (0x7FE0, 0x0008), "DoubleFloatPixelData": (0x7FE0, 0x0009)
}  # fmt: skip
LONGEST_VALUE: Final = 0xFFFFFFFE


def transcode(opened: Opened, arguments: Mapping[str, Any]) -> tuple[Mapping[str, Any], Iterator[bytes]]:
    """Return facts {transfer_syntax_uid, frames} and the file in pieces.

    `arguments["syntax"]` must be explicit VR little endian. The SOP Instance UID stays: it is the same
    image for whoever cannot read it otherwise. Raises Refusal, also while the pieces are taken.
    """
    if arguments.get("syntax", ExplicitVRLittleEndian) != ExplicitVRLittleEndian:
        raise Refusal("objects are transcoded to explicit VR little endian only")
    dataset = to_little_endian(opened.dataset())
    frames = opened.facts().frames if opened.has_pixels else 0
    return {"transfer_syntax_uid": str(ExplicitVRLittleEndian), "frames": frames}, _pieces(opened, dataset, frames)


def _pieces(opened: Opened, dataset: Dataset, frames: int) -> Iterator[bytes]:
    if not frames:
        yield _file(dataset, opened)
        return
    first = opened.frame(1)
    single = first.native()
    facts = first.facts
    if facts.bits_allocated == 1:
        yield from _bitmaps(opened, dataset, facts)
        return
    length = len(single) * frames
    if length > min(opened.most, LONGEST_VALUE):
        raise TooMuch("the object would be larger than it may be")
    _describe(dataset, facts)
    yield _file(dataset, opened) + _head(opened.keyword, facts, length + length % 2)
    yield single
    for number in range(2, frames + 1):
        frame = opened.frame(number)
        data = frame.native()
        if len(data) != len(single) or frame.facts.photometric_interpretation != facts.photometric_interpretation:
            raise Refusal("the frames of the object are not alike")
        yield data
    yield b"\0" * (length % 2)


def _bitmaps(opened: Opened, dataset: Dataset, facts: ImageFacts) -> Iterator[bytes]:
    """Yield an object of one bit a pixel: its frames follow each other without a gap (PS3.5 8.1.1)."""
    import numpy as np

    loose = np.concatenate([opened.frame(number).pixels.reshape(-1) for number in range(1, facts.frames + 1)])
    packed = np.packbits(loose, bitorder="little").tobytes()
    _describe(dataset, facts)
    padding = len(packed) % 2
    yield _file(dataset, opened) + _head(opened.keyword, facts, len(packed) + padding) + packed + b"\0" * padding


def _describe(dataset: Dataset, facts: ImageFacts) -> None:
    for keyword in GONE:
        if keyword in dataset:
            del dataset[keyword]
    dataset.PhotometricInterpretation = facts.photometric_interpretation
    dataset.BitsAllocated = facts.bits_allocated
    if facts.samples_per_pixel > 1:
        dataset.PlanarConfiguration = facts.planar_configuration


def _file(dataset: Dataset, opened: Opened) -> bytes:
    """Return preamble, group 2 and the data set without its pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, implicit_vr=False, little_endian=True, enforce_file_format=True)
    return buffer.getvalue()


def _head(keyword: str, facts: ImageFacts, length: int) -> bytes:
    vr = {"FloatPixelData": b"OF", "DoubleFloatPixelData": b"OD"}.get(keyword, b"OW")
    if keyword == "PixelData" and facts.bits_allocated == 8:
        vr = b"OB"
    return struct.pack("<HH2sHI", *PIXEL_HEADERS[keyword], vr, 0, length)
