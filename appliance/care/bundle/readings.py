"""In how many ways a text can be read: as it stands, with its escapes undone, and what its base64 and its hex say."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

ESCAPED: Final = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|U0{2,3}([0-9a-fA-F]{5,6}))|%u([0-9a-fA-F]{4})|\\([0-3][0-7]{2})"
)
OCTAL: Final = 5
REFERENCE: Final = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);")
HIGHEST: Final = 0x10FFFF
BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2}){4,}")
CHARSETS: Final = ("utf-8", "gb18030", "shift_jis", "latin-1")
# What has been escaped by one program may be escaped by the next.
TIMES: Final = 3
# XanthippeQuimblet, as files are called.
JOINED: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def readings(text: str) -> Iterator[str]:
    """Yield a text as it stands and with its escapes undone, parted at capitals, and what its base64 and hex say."""
    found = {text: None}
    for _ in range(TIMES):
        text = undo(text)
        found[text] = None
    yield from found
    yield from {JOINED.sub(" ", one) for one in found} - found.keys()
    for one in found:
        yield from decoded(one)


def undo(text: str) -> str:
    """Return a text with percent signs, backslashes and HTML's references undone, once."""
    if "%" in text or "\\" in text:
        text = ESCAPED.sub(_character, text)
    if "%" in text:
        text = unquote_to_bytes(text).decode("utf-8", "backslashreplace")
    return REFERENCE.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def decoded(text: str) -> Iterator[str]:
    """Yield what the base64 and the hex in a text say, where it is text."""
    for token in HEX.findall(text):
        yield from _texts(bytes.fromhex(token))
    for token in BASE64.findall(text):
        yield from _of_base64(token)


def _character(found: re.Match[str]) -> str:
    digits, base = found[found.lastindex or 0], 8 if found.lastindex == OCTAL else 16
    number = int(digits, base)
    return chr(number) if number <= HIGHEST else ""


def _of_base64(token: str) -> Iterator[str]:
    token = token.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), validate=True)
    except binascii.Error:
        return
    yield from _texts(data)


def _texts(data: bytes) -> Iterator[str]:
    for charset in CHARSETS:
        try:
            text = data.decode(charset)
        except UnicodeDecodeError:
            continue
        if text.isprintable():
            yield text
