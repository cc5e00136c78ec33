"""Deflated data sets (PS3.5 A.5): inflated as they are read, bounded, never whole in memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from appliance.archive.header_error import HeaderError
from appliance.archive.window import Bytes

_CHUNK: Final = 65536

# Some writers leave the checksum and the size behind with which gzip ends.
_TRAILER: Final = 8


def inflate(source: Bytes, length: int) -> Iterator[bytes]:
    """Yield the inflated bytes of a deflated data set of `length` bytes, in pieces of at most 64 KB.

    Raises HeaderError when the stream is damaged, cut short, or followed by anything but padding.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    position = 0
    while not stream.eof:
        data = stream.unconsumed_tail
        if not data:
            data = source.read_at(position, min(_CHUNK, length - position))
            position += len(data)
        try:
            piece = stream.decompress(data, _CHUNK)
        except zlib.error:
            raise HeaderError("The deflated data set is damaged.") from None
        if piece:
            yield piece
        elif not data:
            raise HeaderError("The deflated data set is cut short.")
    rest = stream.unused_data + source.read_at(position, min(_CHUNK, length - position))
    if len(rest.rstrip(b"\0")) > _TRAILER or length - position > _CHUNK:
        raise HeaderError("Bytes follow the end of the deflated data set.")


def inflated_length(source: Bytes, length: int, limit: int) -> int:
    """Return how long a deflated data set is when inflated; HeaderError when that is over `limit`."""
    total = 0
    for piece in inflate(source, length):
        total += len(piece)
        if total > limit:
            raise HeaderError(f"The deflated data set inflates to more than {limit} bytes.")
    return total


class InflatedBytes:
    """The inflated bytes of a deflated data set; what was passed over is forgotten."""

    def __init__(self, source: Bytes, length: int) -> None:
        self._pieces = inflate(source, length)
        self._start = 0
        self._held = b""

    def read_at(self, position: int, size: int) -> bytes:
        """Inflate forward to `position` and return up to `size` bytes from there."""
        while self._start + len(self._held) <= position and self._advance():
            pass
        parts = [self._held[position - self._start :]]
        missing = size - len(parts[0])
        while missing > 0 and self._advance():
            parts.append(self._held)
            missing -= len(self._held)
        whole = b"".join(parts)
        self._start, self._held = position, whole
        return whole[:size]

    def _advance(self) -> bool:
        piece = next(self._pieces, b"")
        if piece:
            self._start += len(self._held)
            self._held = piece
        return bool(piece)
