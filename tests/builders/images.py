"""Images of every kind: grey, colour and palette pixels with their LUTs, overlays and functional groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom import Sequence as Items

from tests.builders.instances import ct

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"


def ramp(low: int, high: int, rows: int = 32, columns: int = 64) -> NDArray[np.int64]:
    """Return stored values that rise from `low` to `high`, row by row."""
    return np.rint(np.linspace(low, high, rows * columns)).astype(np.int64).reshape(rows, columns)


def grey(pixels: NDArray[Any], *, bits: int = 16, stored: int = 0, signed: bool = False, **overrides: Any) -> Dataset:
    """Return a grey image with `bits` allocated; `pixels` is (rows, columns) or (frames, rows, columns)."""
    frames = pixels.shape[0] if pixels.ndim == 3 else 1
    stored = stored or bits
    mask = (1 << stored) - 1
    data = (pixels.astype(np.int64) & mask).astype(f"<u{bits // 8}")
    described = {
        "SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT", "Rows": pixels.shape[-2], "Columns": pixels.shape[-1],
        "BitsAllocated": bits, "BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": int(signed),
        "PixelData": padded(data.tobytes()), "NumberOfFrames": frames if frames > 1 else None,
    }  # fmt: skip
    return ct(**{**described, **overrides})


def colour(pixels: NDArray[Any], model: str = "RGB", *, planar: int = 0, bits: int = 8, **overrides: Any) -> Dataset:
    """Return a colour image of (rows, columns, 3) samples in `model`, by pixel or (planar 1) by plane."""
    arranged = pixels.transpose(2, 0, 1) if planar else pixels
    described = {
        "SOPClassUID": SECONDARY_CAPTURE, "Modality": "OT", "Rows": pixels.shape[0], "Columns": pixels.shape[1],
        "SamplesPerPixel": 3, "PhotometricInterpretation": model, "PlanarConfiguration": planar,
        "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": 0,
        "PixelData": padded(np.ascontiguousarray(arranged).astype(f"<u{bits // 8}").tobytes()),
    }  # fmt: skip
    return ct(**{**described, **overrides})


def colours(rows: int = 32, columns: int = 64) -> NDArray[np.uint8]:
    """Return a picture in which red, green and blue change in different directions."""
    down, across = np.mgrid[0:rows, 0:columns]
    red, green = down * 255 // (rows - 1), across * 255 // (columns - 1)
    return np.stack([red, green, (red + 2 * green) % 256], axis=-1).astype(np.uint8)


def lut(values: Sequence[int], first: int = 0, bits: int = 8, *, words: bool = False) -> Dataset:
    """Return an item with LUT Descriptor and LUT Data; `words` writes them as OW."""
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(values) & 0xFFFF, first, bits])
    data = np.array(values, "<u2")
    item.add_new("LUTData", "OW" if words else "US", data.tobytes() if words else [int(value) for value in data])
    return item


def palette(indices: NDArray[Any], tables: Sequence[Sequence[int]], *, first: int = 0, **overrides: Any) -> Dataset:
    """Return a palette image whose tables have 16-bit entries."""
    dataset = grey(indices, bits=8, PhotometricInterpretation="PALETTE COLOR", **overrides)
    for name, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        dataset.add_new(f"{name}PaletteColorLookupTableDescriptor", "US", [len(table) & 0xFFFF, first, 16])
        dataset.add_new(f"{name}PaletteColorLookupTableData", "OW", np.array(table, "<u2").tobytes())
    return dataset


def overlaid(
    dataset: Dataset, mask: NDArray[np.bool_], *, origin: tuple[int, int] = (1, 1), group: int = 0x6000
) -> Dataset:
    """Add an overlay plane; a mask of (frames, rows, columns) makes one per frame."""
    dataset.add_new((group, 0x0010), "US", mask.shape[-2])
    dataset.add_new((group, 0x0011), "US", mask.shape[-1])
    if mask.ndim == 3:
        dataset.add_new((group, 0x0015), "IS", mask.shape[0])
        dataset.add_new((group, 0x0051), "US", 1)
    dataset.add_new((group, 0x0040), "CS", "G")
    dataset.add_new((group, 0x0050), "SS", list(origin))
    dataset.add_new((group, 0x0100), "US", 1)
    dataset.add_new((group, 0x0102), "US", 0)
    bits = np.packbits(mask.reshape(-1), bitorder="little").tobytes()
    dataset.add_new((group, 0x3000), "OW", padded(bits))
    return dataset


def enhanced(
    pixels: NDArray[Any], windows: Sequence[tuple[float, float]], rescale: tuple[float, float], **overrides: Any
) -> Dataset:
    """Return an enhanced CT: one window per frame, one rescale (slope, intercept) for all."""
    dataset = grey(pixels, signed=True, SOPClassUID=ENHANCED_CT, Modality="CT", **overrides)
    shared = Dataset()
    shared.PixelValueTransformationSequence = Items([_of(RescaleSlope=rescale[0], RescaleIntercept=rescale[1])])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    dataset.PerFrameFunctionalGroupsSequence = Items([
        _of(FrameVOILUTSequence=Items([_of(WindowCenter=center, WindowWidth=width)])) for center, width in windows
    ])  # fmt: skip
    return dataset


def _of(**values: Any) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def padded(data: bytes) -> bytes:
    """Return bytes of even length."""
    return data + b"\0" * (len(data) % 2)
