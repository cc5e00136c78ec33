"""Overlay planes (PS3.3 C.9.2): bitmaps of their own, or unused bits of the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from appliance.codec.groups import UNREADABLE

Mask = NDArray[np.bool_]

FIRST_GROUP: Final = 0x6000
LAST_GROUP: Final = 0x601E
_ROWS: Final = 0x0010
_COLUMNS: Final = 0x0011
_FRAMES: Final = 0x0015
_ORIGIN: Final = 0x0050
_FIRST_FRAME: Final = 0x0051
_BITS_ALLOCATED: Final = 0x0100
_BIT_POSITION: Final = 0x0102
_DATA: Final = 0x3000


@dataclass(frozen=True, slots=True)
class _Plane:
    """One plane's geometry. `top` and `left` count from 0 and may be negative; `first` is an image frame."""

    rows: int
    columns: int
    top: int
    left: int
    frames: int
    first: int


def overlay_mask(dataset: Dataset, shape: tuple[int, int], frame: int, raw: NDArray[Any] | None = None) -> Mask | None:
    """Return which pixels of image `frame` (counted from 1) overlays cover; None where there is nothing.

    `raw` are the pixels with all their allocated bits, for overlays kept in unused ones. A plane
    that cannot be read is left out: the image itself is worth more.
    """
    mask = np.zeros(shape, np.bool_)
    for group in _groups(dataset):
        plane = _plane(dataset, group)
        bits = _bitmap(dataset, group, plane, frame) if plane else None
        if bits is None and raw is not None and raw.shape == shape:
            bits = _embedded(dataset, group, raw)
            plane = _Plane(*shape, 0, 0, 1, 1)
        if plane is not None and bits is not None:
            _lay(mask, bits, plane)
    return mask if mask.any() else None


def _groups(dataset: Dataset) -> Iterator[int]:
    for group in range(FIRST_GROUP, LAST_GROUP + 1, 2):
        if (group, _ROWS) in dataset or (group, _BIT_POSITION) in dataset:
            yield group


def _value(dataset: Dataset, group: int, element: int) -> Any:
    try:
        return dataset[group, element].value if (group, element) in dataset else None
    except UNREADABLE:
        return None


def _number(dataset: Dataset, group: int, element: int, default: int, place: int = 0) -> int:
    value = _value(dataset, group, element)
    try:
        return int(value[place] if hasattr(value, "__getitem__") else value)
    except (TypeError, ValueError, IndexError):
        return default


def _plane(dataset: Dataset, group: int) -> _Plane | None:
    plane = _Plane(
        rows=_number(dataset, group, _ROWS, 0),
        columns=_number(dataset, group, _COLUMNS, 0),
        top=_number(dataset, group, _ORIGIN, 1) - 1,
        left=_number(dataset, group, _ORIGIN, 1, 1) - 1,
        frames=max(1, _number(dataset, group, _FRAMES, 1)),
        first=_number(dataset, group, _FIRST_FRAME, 1),
    )
    return plane if plane.rows > 0 and plane.columns > 0 else None


def _bitmap(dataset: Dataset, group: int, plane: _Plane, frame: int) -> Mask | None:
    """Return the plane's own bitmap for that image frame; a single one holds for every frame."""
    stored = _value(dataset, group, _DATA)
    if not isinstance(stored, bytes):
        return None
    number = frame - plane.first if plane.frames > 1 else 0
    if not 0 <= number < plane.frames:
        return None
    size = plane.rows * plane.columns
    start = number * size
    data = np.frombuffer(stored[start // 8 : (start + size + 7) // 8], np.uint8)
    bits = np.unpackbits(data, bitorder="little")[start % 8 : start % 8 + size]
    return bits.reshape(plane.rows, plane.columns).astype(np.bool_) if bits.size == size else None


def _embedded(dataset: Dataset, group: int, raw: NDArray[Any]) -> Mask | None:
    position = _number(dataset, group, _BIT_POSITION, 0)
    allocated = _number(dataset, group, _BITS_ALLOCATED, 1)
    if allocated <= 1 or not 0 <= position < raw.dtype.itemsize * 8 or raw.dtype.kind not in "iu":
        return None
    return ((raw >> position) & 1).astype(np.bool_)


def _lay(mask: Mask, bits: Mask, plane: _Plane) -> None:
    """Draw a plane where its origin puts it; what falls outside the image is cut off."""
    rows, columns = mask.shape
    top, left = max(plane.top, 0), max(plane.left, 0)
    bottom, right = min(plane.top + plane.rows, rows), min(plane.left + plane.columns, columns)
    if top < bottom and left < right:
        mask[top:bottom, left:right] |= bits[
            top - plane.top : bottom - plane.top, left - plane.left : right - plane.left
        ]
