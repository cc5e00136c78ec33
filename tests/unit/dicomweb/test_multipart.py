"""Multipart messages: every part comes out as it went in, in whatever pieces the stream delivers it."""

from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.dicomweb.multipart import (
    MOST_HEADER_BYTES,
    MultipartError,
    MultipartReader,
    closing,
    message_length,
    part_head,
)

BOUNDARY = "frontier"


class Dribble:
    """A stream that returns at most `size` bytes a read."""

    def __init__(self, data: bytes, size: int) -> None:
        self._file = BytesIO(data)
        self._size = size

    def read(self, size: int, /) -> bytes:
        """Return the next few bytes."""
        return self._file.read(min(size, self._size))


def message(*bodies: bytes, boundary: str = BOUNDARY) -> bytes:
    head = part_head(boundary, {"Content-Type": "application/dicom"})
    return b"".join(head + body for body in bodies) + closing(boundary)


def read(data: bytes, size: int = 1 << 20, piece: int = 1 << 20, boundary: str = BOUNDARY) -> list[bytes]:
    found = []
    for part in MultipartReader(Dribble(data, piece), boundary).parts():
        body = b""
        while chunk := part.read(size):
            assert len(chunk) <= size
            body += chunk
        found.append(body)
    return found


@given(
    st.lists(st.lists(st.sampled_from([b"\r\n", b"--", b"--frontie", b"\r", b"x", b"\r\n--fro", b""])), max_size=4),
    st.integers(1, 40),
    st.integers(1, 40),
)
@example([[b"\r\n--fro"], [b""]], 1, 1)
def test_parts_come_out_as_they_went_in(bodies: list[list[bytes]], size: int, piece: int) -> None:
    whole = [b"".join(body) for body in bodies] or [b"x"]
    assert read(message(*whole), size, piece) == whole


def test_a_preamble_an_epilogue_and_padding_are_passed_over() -> None:
    data = b"hello\r\n--frontier  \r\nA: b\r\n\r\nbody\r\n--frontier--\r\nbye"
    assert read(data) == [b"body"]
    assert read(b"--frontier\r\n\r\nno headers\r\n--frontier--") == [b"no headers"]


def test_headers_are_found_in_any_case_and_folded() -> None:
    data = b"--frontier\r\nCONTENT-type: multi\r\n part\r\n\r\nx\r\n--frontier--"
    (part,) = [part.headers for part in MultipartReader(BytesIO(data), BOUNDARY).parts()]
    assert part == {"content-type": "multi part"}


def test_what_a_handler_leaves_unread_is_skipped() -> None:
    parts = list(MultipartReader(BytesIO(message(b"a" * 100000, b"b")), BOUNDARY).parts())
    assert len(parts) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no boundary at all",
        b"--frontier",
        b"--frontier\r\n",
        b"--frontier\r\nA: b\r\n",
        b"--frontier\r\nA: b\r\n\r\n",
        b"--frontier\r\nA: b\r\n\r\nbody",
        b"--frontier\r\nA: b\r\n\r\nbody\r\n--fron",
        b"--frontier\r\nA: b\r\n\r\nbody\r\n--frontier",
        b"--frontier\r\nA: b\r\n\r\nbody\r\n--frontierX\r\n\r\n",
        b"--frontier\r\nno colon\r\n\r\nbody\r\n--frontier--",
        b"--frontier\r\n" + b"A: " + b"x" * MOST_HEADER_BYTES + b"\r\n\r\nbody\r\n--frontier--",
        b"x" * 100_000 + message(b"late"),
    ],
)
def test_a_broken_message_is_refused(data: bytes) -> None:
    with pytest.raises(MultipartError):
        read(data)


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "ü", "ends with space "])
def test_a_bad_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartError):
        MultipartReader(BytesIO(b""), boundary)


def test_the_announced_length_is_the_real_one() -> None:
    heads = [part_head(BOUNDARY, {"A": "b"}), part_head(BOUNDARY, {"C": "d"})]
    data = heads[0] + b"123" + heads[1] + b"4567" + closing(BOUNDARY)
    assert message_length(heads, [3, 4], BOUNDARY) == len(data)


def test_memory_does_not_grow_with_a_part() -> None:
    class Endless:
        """A part of 64 MB that is never in memory at once."""

        left = 64

        def read(self, size: int, /) -> bytes:
            """Return another megabyte."""
            self.left -= 1
            return b"--frontier\r\n\r\n" if self.left == 63 else b"x" * (1 << 20) if self.left > 0 else b""

    reader = MultipartReader(Endless(), BOUNDARY)
    (part, largest) = (next(reader.parts()), 0)
    with pytest.raises(MultipartError):
        while part.read(8192):
            largest = max(largest, len(reader._buffer))
    assert largest < 3 << 20
