"""Attributes of one frame: its own functional groups, the shared ones, the data set (PS3.3 C.7.6.16)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any, Final

from pydicom import Dataset
from pydicom.errors import BytesLengthException

_PER_FRAME = "PerFrameFunctionalGroupsSequence"
_SHARED = "SharedFunctionalGroupsSequence"
# What pydicom raises, as late as at the first look, at a value that breaks the rules of its VR.
UNREADABLE: Final = (
    ValueError, TypeError, ArithmeticError, LookupError, AttributeError, NotImplementedError, struct.error,
    BytesLengthException,
)  # fmt: skip


class FrameAttributes:
    """Looks attributes up for frame `frame`, counted from 1. Values that cannot be read count as absent."""

    def __init__(self, dataset: Dataset, frame: int) -> None:
        self.dataset = dataset
        self._groups = list(_groups(dataset, frame))

    def item(self, group: str, keyword: str) -> Dataset:
        """Return where `keyword` stands: the item of functional group `group`, or the data set."""
        for groups in self._groups:
            found = first_item(groups, group)
            if found is not None and keyword in found:
                return found
        return self.dataset


def _groups(dataset: Dataset, frame: int) -> Iterator[Dataset]:
    frames = items(dataset, _PER_FRAME)
    if 0 < frame <= len(frames):
        yield frames[frame - 1]
    shared = first_item(dataset, _SHARED)
    if shared is not None:
        yield shared


def value(item: Dataset, keyword: str) -> Any:
    """Return a value, None where it is absent, empty or unreadable."""
    try:
        return item.get(keyword)
    except UNREADABLE:
        return None


def items(item: Dataset, keyword: str) -> list[Dataset]:
    """Return the items of a sequence; none where it is absent or no sequence."""
    found = value(item, keyword)
    if found is None or isinstance(found, str | bytes) or not hasattr(found, "__iter__"):
        return []
    return [entry for entry in found if isinstance(entry, Dataset)]


def first_item(item: Dataset, keyword: str) -> Dataset | None:
    """Return the first item of a sequence, if any."""
    return next(iter(items(item, keyword)), None)


def numbers(item: Dataset, keyword: str) -> list[float]:
    """Return the finite numbers of a value, however many; what is no number ends them."""
    found = value(item, keyword)
    values = found if hasattr(found, "__iter__") and not isinstance(found, str | bytes) else [found]
    read: list[float] = []
    for entry in values:
        try:
            number = float(entry)
        except (TypeError, ValueError, OverflowError):
            break
        if not math.isfinite(number):
            break
        read.append(number)
    return read


def number(item: Dataset, keyword: str) -> float | None:
    """Return the first number of a value, None where there is none."""
    return next(iter(numbers(item, keyword)), None)


def text(item: Dataset, keyword: str) -> str:
    """Return a value as text without spaces around it, "" where it is absent."""
    found = value(item, keyword)
    return "" if found is None else str(found).strip().strip("\0")
