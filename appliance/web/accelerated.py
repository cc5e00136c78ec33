"""Stored files that nginx sends itself: the room says which and with what headers, the bytes never come by here.

Only for requests on the socket of nginx, in which it has said where its own location of the archive is, and only for
answers that are a stored file from its first byte to its last.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

from flask import Request, Response

from appliance.http.proxies import said

REDIRECT: Final = "X-Accel-Redirect"
# What nginx would judge by itself, by names and times that are not ours.
CONDITIONS: Final = ("Range", "If-Range", "If-Match", "If-Modified-Since", "If-Unmodified-Since")


def handed_over(request: Request, answer: Response, path: Path, size: int, root: Path) -> Response:
    """Let nginx send the file `path` below `root` as the body of `answer`, if it can; the answer is changed in place.

    Its length stays announced until `emptied`, for whoever notes what was sent. A file of another length than `size`
    bytes is left to the room, which says what is wrong with it.
    """
    place = said(request.environ).stored
    if not place or request.method != "GET" or answer.status_code != 200:
        return answer
    if any(name in request.headers for name in CONDITIONS) or not _is_whole(path, size):
        return answer
    below = path.relative_to(root)
    if ".." in below.parts:
        return answer
    answer.headers[REDIRECT] = quote(f"{place}{below}")
    return answer


def emptied(answer: Response) -> Response:
    """Take the body from an answer that nginx makes; safe for any other."""
    if REDIRECT in answer.headers:
        answer.response = _nothing()
        answer.content_length = 0
    return answer


def _nothing() -> Iterator[bytes]:
    return iter(())


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False
