"""Encapsulated pixel data (PS3.5 A.4): which fragments make which frame, whatever the offset tables claim."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

MOST_FRAGMENTS: Final = 1_000_000
HEAD: Final = 4

# What a compressed image starts with: JPEG and JPEG-LS, JPEG 2000 and HTJ2K, boxes (JP2, JPEG XL), bare JPEG XL.
_BEGINNINGS: Final = (b"\xff\xd8", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0c", b"\xff\x0a")


@dataclass(slots=True)
class Fragments:
    """The fragments of one element, in order, the basic offset table not among them.

    `positions` and `lengths` are those of their values in the data set; `begins` tells which ones start
    like a compressed image of their own.
    """

    positions: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("Q"))
    begins: bytearray = field(default_factory=bytearray)

    def add(self, position: int, length: int, head: bytes) -> None:
        """Append one; `head` is its first HEAD bytes, or as many as it has."""
        self.positions.append(position)
        self.lengths.append(length)
        self.begins.append(head.startswith(_BEGINNINGS))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.positions)


def offsets(data: bytes, letter: str) -> array[int]:
    """Return the little-endian numbers of an offset table; `letter` is "I" (basic) or "Q" (extended)."""
    numbers = array(letter)
    numbers.frombytes(data[: len(data) // numbers.itemsize * numbers.itemsize])
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _by_table(fragments: Fragments, offsets: Sequence[int]) -> list[int] | None:
    """Return the first fragment of each frame by an offset table; None when it points anywhere else."""
    if not offsets or offsets[0] or not len(fragments):
        return None
    positions = fragments.positions
    starts: list[int] = []
    for offset in offsets:
        place = positions[0] + offset
        index = bisect_left(positions, place)
        if index == len(positions) or positions[index] != place or (starts and index <= starts[-1]):
            return None
        starts.append(index)
    return starts


def frame_starts(fragments: Fragments, count: int, tables: Sequence[Sequence[int]]) -> list[int] | None:
    """Return the index of the first fragment of each frame; None when nothing tells where frames begin.

    `count` is Number of Frames, `tables` are the offset tables, the most trusted first. A table is
    believed when it has one entry a frame and each is the place of a fragment. Otherwise the fragments
    themselves decide: as many as frames, all of them one frame, or by the marks that images start with.
    What is shorter than `count` says is as long as it is: the last frames are not there.
    """
    proposals = [_by_table(fragments, table) for table in tables]
    found = next((starts for starts in proposals if starts is not None and len(starts) == count), None)
    if found is not None:
        return found
    if len(fragments) <= count:
        return list(range(len(fragments)))
    if count == 1:
        return [0]
    marked = [index for index, begins in enumerate(fragments.begins) if begins]
    if len(marked) == count and marked[0] == 0:
        return marked
    return next((starts for starts in proposals if starts is not None and len(starts) > 1), None)
