"""Which fragments make which frame (PS3.5 A.4)."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from appliance.codec.fragments import Piece, ReadAt, frame_pieces, frames_begin, scan
from appliance.codec.refusal import NoSuchFrame, Refusal
from appliance.model.fragments import offsets

SOI = b"\xff\xd8\xff\xe0"


def item(data: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data


def reader(data: bytes) -> ReadAt:
    return lambda position, size: data[position : position + size]


def element(*fragments: bytes, table: bytes = b"", end: bool = True) -> bytes:
    return item(table) + b"".join(map(item, fragments)) + (b"\xfe\xff\xdd\xe0\0\0\0\0" if end else b"")


def frames(data: bytes, count: int, *tables: Sequence[int]) -> list[bytes]:
    """Every frame's bytes."""
    _, pieces = scan(reader(data), 0, len(data))
    return [
        b"".join(
            data[p.position : p.position + p.length]
            for p in frame_pieces(pieces, frames_begin(pieces, count, tables), n)
        )
        for n in range(1, count + 1)
    ]


def test_one_frame_takes_all_fragments() -> None:
    assert frames(element(b"abcd", b"ef"), 1) == [b"abcdef"]


def test_as_many_fragments_as_frames_are_one_each_whatever_a_table_says() -> None:
    assert frames(element(b"ab", b"cd"), 2, (0, 4_000_000_000)) == [b"ab", b"cd"]


def test_an_honest_table_is_followed() -> None:
    data = element(b"ab", b"cd", b"ef", table=struct.pack("<2I", 0, 20))
    table, _ = scan(reader(data), 0, len(data))
    assert frames(data, 2, offsets(table, "I")) == [b"abcd", b"ef"]


@pytest.mark.parametrize("table", [(0, 1), (0, 0), (10, 20), (0,), (20, 0), (), (0, 10, 20)])
def test_a_lying_table_is_not_and_the_marks_of_images_tell(table: tuple[int, ...]) -> None:
    assert frames(element(SOI, b"cd", SOI), 2, table) == [SOI + b"cd", SOI]


def test_frames_that_nothing_tells_apart_are_refused() -> None:
    with pytest.raises(Refusal):
        frames(element(b"ab", b"cd", b"ef"), 2)


def test_data_cut_short_have_the_frames_that_are_whole() -> None:
    data = element(b"ab", b"cd", end=False)[:-1]
    _, pieces = scan(reader(data), 0, len(data))
    assert len(pieces) == 1
    with pytest.raises(NoSuchFrame):
        frame_pieces(pieces, frames_begin(pieces, 2, ()), 2)


@pytest.mark.parametrize("data", [b"", b"\0" * 8, item(b"")[:7], struct.pack("<HHI", 0xFFFE, 0xE000, 999)])
def test_no_items_at_all_are_refused(data: bytes) -> None:
    with pytest.raises(Refusal):
        scan(reader(data), 0, len(data))


def test_a_single_table_without_fragments_has_no_frame() -> None:
    _, pieces = scan(reader(element()), 0, 16)
    assert len(pieces) == 0
    with pytest.raises(NoSuchFrame):
        frame_pieces(pieces, frames_begin(pieces, 1, ()), 1)


def test_pieces_say_where_they_are() -> None:
    data = element(b"abcd")
    table, pieces = scan(reader(data), 0, len(data))
    assert table == b""
    assert frame_pieces(pieces, frames_begin(pieces, 1, ()), 1) == [Piece(16, 4)]
