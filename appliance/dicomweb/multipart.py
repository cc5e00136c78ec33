"""Multipart messages (RFC 2046 5.1, RFC 2387), read and written as streams in bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Protocol

from appliance.errors import PeerError

CHUNK: Final = 256 << 10
MOST_HEADER_BYTES: Final = 16 << 10
MOST_PREAMBLE_BYTES: Final = 64 << 10
_BOUNDARY: Final = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class MultipartError(PeerError):
    """The body is no multipart message, or it ends too early."""


class ByteSource(Protocol):
    """Anything that bytes can be read from, like a request body."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, b"" at the end."""


class Part:
    """One part: its headers, lower-case names, and a body that can be read once."""

    def __init__(self, message: MultipartReader, headers: Mapping[str, str]) -> None:
        self._message = message
        self.headers = headers

    def read(self, size: int = CHUNK, /) -> bytes:
        """Return at most `size` bytes of the body, b"" at its end. Raises MultipartError if cut short."""
        return self._message.read_body(size)


class MultipartReader:
    """A multipart message on a stream; memory stays within a few chunks whatever its size."""

    def __init__(self, source: ByteSource, boundary: str) -> None:
        """Read `source`; raises MultipartError for a boundary that RFC 2046 does not allow."""
        if not _BOUNDARY.fullmatch(boundary):
            raise MultipartError("the multipart boundary is missing or not valid")
        self._source = source
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter may open the body: the line break before it is ours.
        self._buffer = bytearray(b"\r\n")
        self._ended = False
        self._in_body = False
        self._clear = 0  # bytes at the head of the buffer that are known to hold no delimiter

    def parts(self) -> Iterator[Part]:
        """Yield the parts in order; what a part leaves unread is skipped. Raises MultipartError."""
        self._skip_preamble()
        while self._open_part():
            yield Part(self, self._headers())
            while self.read_body(CHUNK):
                pass

    def read_body(self, size: int) -> bytes:
        """Return bytes of the current part, b"" at its delimiter."""
        if not self._in_body:
            return b""
        if not self._clear:
            self._look()
        taken = self._take(min(size, self._clear))
        self._clear -= len(taken)
        return taken

    def _look(self) -> None:
        self._fill(len(self._delimiter) + 1)
        at = self._buffer.find(self._delimiter)
        # The last bytes may be the beginning of a delimiter that is still on its way.
        self._clear = at if at >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        self._in_body = at != 0
        if self._in_body and not self._clear:
            raise MultipartError("the body ends within a part")

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def _fill(self, wanted: int) -> None:
        while len(self._buffer) < wanted and not self._ended:
            chunk = self._source.read(CHUNK)
            self._ended = not chunk
            self._buffer += chunk

    def _until(self, mark: bytes, limit: int, what: str) -> bytes:
        """Take everything up to and including `mark`, within `limit` bytes."""
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            searched = max(0, len(self._buffer) - len(mark) + 1)
            if self._ended or len(self._buffer) > limit + len(mark):
                raise MultipartError(f"the body has no end of {what} within {limit} bytes")
            self._fill(len(self._buffer) + 1)
        if at > limit:
            raise MultipartError(f"the body has no end of {what} within {limit} bytes")
        return self._take(at + len(mark))

    def _skip_preamble(self) -> None:
        self._until(self._delimiter, MOST_PREAMBLE_BYTES, "preamble")
        # Put the delimiter back: _open_part takes it like every other.
        self._buffer[:0] = self._delimiter

    def _open_part(self) -> bool:
        """Take a delimiter line; False when it closes the message."""
        self._fill(len(self._delimiter) + 2)
        self._take(len(self._delimiter))
        if self._buffer.startswith(b"--"):
            return False
        if self._until(b"\r\n", 256, "delimiter line").strip():
            raise MultipartError("a boundary has something after it")
        return True

    def _headers(self) -> dict[str, str]:
        # A part without headers starts with the empty line at once.
        self._buffer[:0] = b"\r\n"
        block = self._until(b"\r\n\r\n", MOST_HEADER_BYTES, "part headers")
        self._in_body = True
        # The last line break of the headers may open a delimiter when the body is empty.
        self._buffer[:0] = b"\r\n"
        self._fill(len(self._delimiter) + 1)
        if not self._buffer.startswith(self._delimiter):
            del self._buffer[:2]
        return parse_headers(block.decode("latin-1"))


def parse_headers(block: str) -> dict[str, str]:
    """Return header fields by lower-case name, folded lines joined. Raises MultipartError."""
    headers: dict[str, str] = {}
    for line in re.sub(r"\r\n[ \t]+", " ", block).split("\r\n"):
        if not line:
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise MultipartError("a part has a header without a name")
        headers[name.strip().lower()] = value.strip()
    return headers


def part_head(boundary: str, headers: Mapping[str, str]) -> bytes:
    """Return the delimiter and headers that stand before a part's body."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"\r\n--{boundary}\r\n{fields}\r\n".encode("latin-1")


def closing(boundary: str) -> bytes:
    """Return what stands behind the last part."""
    return f"\r\n--{boundary}--\r\n".encode("ascii")


def message_length(heads: Iterable[bytes], sizes: Iterable[int], boundary: str) -> int:
    """Return the length in bytes of a message with these part heads and body sizes."""
    return sum(map(len, heads)) + sum(sizes) + len(closing(boundary))
