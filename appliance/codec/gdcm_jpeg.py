"""gdcm for JPEG of 12 bits a sample, which pydicom's plugin leaves out, and for the retired processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import gdcm
import numpy as np

from appliance.codec.frame import Frame, ImageFacts
from appliance.codec.refusal import Refusal

# Start of Frame markers that the library behind gdcm reads: baseline, extended, progressive, lossless.
FRAME_HEADERS: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC3})
ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})


def decode(encoded: bytes, facts: ImageFacts, name: str, syntax: str) -> Frame:
    """Return one frame; the precision is taken from the stream itself. Raises Refusal."""
    precision, rows, columns, samples = precision_of(encoded)
    if (rows, columns, samples) != (facts.rows, facts.columns, facts.samples_per_pixel):
        raise Refusal("the compressed frame is of another size than the object says")
    size = 1 if precision <= 8 else 2
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(encoded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    colour = gdcm.PhotometricInterpretation.GetPIType(facts.photometric_interpretation)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(colour))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    image.SetPixelFormat(gdcm.PixelFormat(samples, 8 * size, precision, precision - 1, facts.pixel_representation))
    data = image.GetBuffer().encode("utf-8", "surrogateescape")
    kind = "ui"[facts.pixel_representation]
    pixels = np.frombuffer(data, f"{kind}{size}").reshape((rows, columns) if samples == 1 else (rows, columns, samples))
    return Frame(pixels, replace(facts, bits_allocated=8 * size, planar_configuration=0))


def precision_of(stream: bytes) -> tuple[int, int, int, int]:
    """Return (precision, rows, columns, samples) of a JPEG stream (ISO 10918-1 B.2.2). Raises Refusal."""
    position = 2
    while position + 4 <= len(stream) and stream[:2] == b"\xff\xd8":
        if stream[position] != 0xFF:
            break
        marker = stream[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker in FRAME_HEADERS and position + 10 <= len(stream):
            rows = int.from_bytes(stream[position + 5 : position + 7], "big")
            columns = int.from_bytes(stream[position + 7 : position + 9], "big")
            return stream[position + 4], rows, columns, stream[position + 9]
        length = 0 if marker in ALONE else int.from_bytes(stream[position + 2 : position + 4], "big")
        position += 2 + length
    raise Refusal("the compressed frame is no JPEG stream that can be read")
