"""Encapsulated pixel data (PS3.5 A.4) in a file: walked item by item, and the pieces of one frame."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from appliance.codec.refusal import NoSuchFrame, Refusal
from appliance.model.fragments import HEAD, MOST_FRAGMENTS, Fragments, frame_starts

ITEM: Final = 0xFFFEE000
ITEM_HEAD: Final = struct.Struct("<HHI")

# (position, size) -> as many bytes as there are, up to size
ReadAt = Callable[[int, int], bytes]


class Piece(NamedTuple):
    """One fragment's bytes: where they start, and how many there are."""

    position: int
    length: int


def scan(read_at: ReadAt, position: int, end: int) -> tuple[bytes, Fragments]:
    """Walk the items from the first one on; return the basic offset table and the fragments.

    Pixel data that were cut short give the fragments that are whole. Raises Refusal where there are none.
    """
    table: Piece | None = None
    fragments = Fragments()
    while position + ITEM_HEAD.size <= end:
        group, element, length = ITEM_HEAD.unpack(read_at(position, ITEM_HEAD.size))
        position += ITEM_HEAD.size
        if group << 16 | element != ITEM or position + length > end:
            break
        if table is None:
            table = Piece(position, length)
        else:
            fragments.add(position, length, read_at(position, min(length, HEAD)))
        if len(fragments) > MOST_FRAGMENTS:
            raise Refusal("the pixel data have too many fragments")
        position += length
    if table is None:
        raise Refusal("the encapsulated pixel data are damaged")
    return read_at(table.position, min(table.length, 4 * MOST_FRAGMENTS)), fragments


def frames_begin(fragments: Fragments, frames: int, tables: Sequence[Sequence[int]]) -> Sequence[int]:
    """Return the first fragment of each frame, as `frame_starts` does. Raises Refusal where nothing tells."""
    starts = frame_starts(fragments, frames, tables)
    if starts is None:
        raise Refusal("nothing tells where the frames of the pixel data begin")
    return starts


def frame_pieces(fragments: Fragments, starts: Sequence[int], number: int) -> Sequence[Piece]:
    """Return the pieces of frame `number` (from 1); `starts` as `frames_begin` gives them. Raises NoSuchFrame."""
    if number > len(starts):
        raise NoSuchFrame("the pixel data end before this frame")
    end = starts[number] if number < len(starts) else len(fragments)
    return [Piece(fragments.positions[n], fragments.lengths[n]) for n in range(starts[number - 1], end)]
