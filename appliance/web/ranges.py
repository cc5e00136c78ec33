"""Parts of a representation by byte range (RFC 9110 14): one range at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Response, request

# Makes the bytes [start, start + size) of a representation.
Reader = Callable[[int, int], Iterator[bytes]]


def ranged(read: Reader, length: int, content_type: str, etag: str) -> Response:
    """Return the whole of a representation of `length` bytes, or the part the request asks for.

    200, 206, 304 where the client has it already, 416 where the range begins behind the end. Several
    ranges in one request are answered with the whole, which RFC 9110 14.2 allows.
    """
    answer = Response(content_type=content_type)
    answer.set_etag(etag)
    answer.headers["Accept-Ranges"] = "bytes"
    if etag in request.if_none_match:
        answer.status_code = 304
        return answer
    start, size = 0, length
    wanted = request.range if _still_valid(etag) else None
    if wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1:
        found = wanted.range_for_length(length)
        if found is None:
            answer.status_code = 416
            answer.headers["Content-Range"] = f"bytes */{length}"
            return answer
        start, size = found[0], found[1] - found[0]
        answer.status_code = 206
        answer.headers["Content-Range"] = f"bytes {start}-{start + size - 1}/{length}"
    if request.method != "HEAD":
        answer.response = read(start, size)
    answer.content_length = size
    return answer


def _still_valid(etag: str) -> bool:
    """Say whether If-Range, where it is sent, names what we have; a date never does."""
    if "If-Range" not in request.headers:
        return True
    return request.if_range.etag == etag


def cut(pieces: Iterator[bytes], start: int, size: int) -> Iterator[bytes]:
    """Yield `size` bytes from `start` of what `pieces` make; what stands before is read and dropped."""
    for piece in pieces:
        if size <= 0:
            return
        if start < len(piece):
            kept = piece[start : start + size]
            size -= len(kept)
            yield kept
        start = max(0, start - len(piece))
