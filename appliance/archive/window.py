"""A forward-moving window over the bytes of a data set, so that its length does not become memory."""

from __future__ import annotations

from typing import BinaryIO, Final, Protocol

from appliance.archive.header_error import HeaderError

_WINDOW: Final = 65536
_PEEK: Final = 4096


class Bytes(Protocol):
    """Where the bytes of a data set come from; position 0 is its first byte."""

    def read_at(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position`, fewer only at the end. Positions never go back
        to before the one of the previous call."""
        ...


class FileBytes:
    """The bytes of a data set that stands in a seekable file at `offset`."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file = file
        self._offset = offset

    def read_at(self, position: int, size: int) -> bytes:
        """Seek, then read; errors of the file system pass through."""
        self._file.seek(self._offset + position)
        return self._file.read(size)


class Window:
    """Up to 64 KB of a data set of `length` bytes, starting at `base`, in `buffer`."""

    def __init__(self, source: Bytes, length: int) -> None:
        self._source = source
        self.length = length
        self.base = 0
        self.buffer = b""

    def index(self, position: int, need: int) -> int:
        """Return where `position` stands in `buffer`, after which at least `need` bytes are there.

        Raises HeaderError when the data set is shorter than that.
        """
        index = position - self.base
        if index + need > len(self.buffer):
            self._move(position, need)
            return 0
        return index

    def take(self, position: int, size: int) -> bytes:
        """Return `size` bytes from `position`."""
        index = self.index(position, size)
        return self.buffer[index : index + size]

    def _move(self, position: int, need: int) -> None:
        # After a jump (over pixels, fragment by fragment) little is wanted; otherwise much.
        jumped = position > self.base + len(self.buffer)
        size = min(max(_PEEK if jumped else _WINDOW, need), self.length - position)
        if size < need:
            raise HeaderError("The data set ends in the middle of an element.")
        self.buffer = self._source.read_at(position, size)
        self.base = position
        if len(self.buffer) < need:
            raise HeaderError("The file is shorter than its data set should be.")
