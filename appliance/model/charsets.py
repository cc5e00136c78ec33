"""Specific Character Set (0008,0005): bytes of text to Unicode (PS3.3 C.12.1.1.2, PS3.5 6.1).

Text is decoded whole, before anything is split at backslash, caret or equals sign, because the
second byte of a multi-byte character may have the code of any of them. What cannot be decoded is
shown as U+FFFD and two hexadecimal digits a byte, so nothing is lost and no delimiter is invented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from appliance.model.iso2022 import decode_iso2022
from appliance.model.undecodable import decode_escaped

UNDECODABLE: Final = "undecodable text"
UNDECLARED: Final = "undeclared character set"
MISDECLARED: Final = "misdeclared character set"
UNKNOWN: Final = "unknown character set"

# The ISO registration number in a defined term -> the codec of the upper half (G1), one byte a character.
_SINGLE_BYTE: Final = MappingProxyType({
    6: "ascii", 100: "latin-1", 101: "iso8859-2", 109: "iso8859-3", 110: "iso8859-4", 144: "iso8859-5",
    127: "iso8859-6", 126: "iso8859-7", 138: "iso8859-8", 148: "iso8859-9", 203: "iso8859-15",
    13: "shift_jis", 166: "tis-620",
})  # fmt: skip

# Multi-byte sets by registration number -> the codec of the upper half when they are shifted there.
_MULTI_BYTE: Final = MappingProxyType({149: "euc-kr", 58: "gb2312", 87: "shift_jis", 159: "euc-jp"})

# Terms without code extensions, and codec names a configuration may assume. Closed on purpose: a
# codec name from the network must not reach Python's registry (some codecs are no text encodings).
_WHOLE: Final = MappingProxyType({
    "ISO_IR 192": "utf-8", "UTF-8": "utf-8", "UTF8": "utf-8",
    "GB18030": "gb18030", "GB 18030": "gb18030", "GBK": "gb18030", "GB2312": "gb18030", "CP936": "gb18030",
    "BIG5": "big5hkscs", "CP950": "cp950", "SHIFT_JIS": "cp932", "SJIS": "cp932", "CP932": "cp932",
    "EUC-JP": "euc-jp", "EUC_JP": "euc-jp", "EUC-KR": "cp949", "EUC_KR": "cp949", "CP949": "cp949",
    "KOI8-R": "koi8-r", "KOI8-U": "koi8-u", "CP866": "cp866", "CP437": "cp437", "CP850": "cp850",
    "CP1250": "cp1250", "CP1251": "cp1251", "CP1252": "cp1252", "CP1253": "cp1253", "CP1254": "cp1254",
    "CP1255": "cp1255", "CP1256": "cp1256", "CP1257": "cp1257", "CP1258": "cp1258", "CP874": "cp874",
    "LATIN-1": "latin-1", "LATIN1": "latin-1", "ISO-8859-1": "latin-1", "ISO-8859-15": "iso8859-15",
    "ASCII": "ascii", "US-ASCII": "ascii",
})  # fmt: skip

_TERM: Final = re.compile(r"(?:ISO[ _-]*)?(?:2022[ _-]*)?IR[ _-]*([0-9]{1,3})")


class Decoded(NamedTuple):
    """Text and the marks its decoding left (UNDECODABLE, UNDECLARED, MISDECLARED, UNKNOWN)."""

    text: str
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """How the text of one data set is decoded.

    `whole` is a codec that takes all bytes ("" where the single parts of a value may be in
    different sets); `upper` is the codec of bytes from 0x80 on before any escape sequence.
    `declared`: the data set names it. `known`: it names something this table has.
    """

    whole: str
    upper: str
    declared: bool
    known: bool = True
    first_number: int = 6


def _number(term: str) -> int | None:
    found = _TERM.fullmatch(term)
    return int(found.group(1)) if found else None


def _parse(terms: list[str], declared: bool) -> CharacterSet:
    for term in terms:
        if term in _WHOLE:
            return CharacterSet(_WHOLE[term], _WHOLE[term], declared)
    numbers = [6 if not term else _number(term) for term in terms]
    if 192 in numbers:
        return CharacterSet("utf-8", "utf-8", declared)
    known = [number for number in numbers if number in _SINGLE_BYTE or number in _MULTI_BYTE]
    if not known:
        return CharacterSet("", "ascii", declared, known=False)
    # Senders often announce a two-byte set and then use it without the escape sequence.
    upper = next((number for number in known if number != 6), 6)
    codec = _SINGLE_BYTE.get(upper or 6) or _MULTI_BYTE[upper or 6]
    return CharacterSet("", codec, declared, known=len(known) == len(numbers), first_number=known[0] or 6)


_UTF8: Final = CharacterSet("utf-8", "utf-8", declared=False)


@lru_cache(maxsize=256)
def character_set(declared: str, assumed: str = "") -> CharacterSet:
    """Return how to decode a data set that declares `declared`, from a sender assumed to use `assumed`.

    `declared` is the value of (0008,0005), several values joined by a backslash, "" when absent or
    empty. `assumed` (the same form, or a codec name such as "gbk") counts only then.
    """
    stated = declared.strip(" \0\\")
    chosen = declared if stated else assumed
    if not chosen.strip():
        return CharacterSet("", "ascii", declared=False)
    return _parse([term.strip(" \0").upper() for term in chosen.split("\\")[:16]], bool(stated))


def is_known_charset(text: str) -> bool:
    """Say whether `text` may be configured as an assumed character set."""
    return bool(text.strip()) and character_set("", text).known


def _decode_as(data: bytes, charset: CharacterSet) -> tuple[str, bool]:
    if charset.whole:
        return decode_escaped(data, charset.whole)
    japanese = charset.first_number == 13
    if japanese or b"\x1b" in data:
        return decode_iso2022(data, charset.upper, japanese=japanese)
    return decode_escaped(data, charset.upper)


def _instead(data: bytes, charset: CharacterSet, assumed: str) -> str | None:
    """Return the text in a set the sender does not declare, where the declared one cannot be right."""
    others = [character_set("", assumed)] if charset.declared and assumed else []
    # An escape character is valid UTF-8, but no sign of it.
    for other in others if b"\x1b" in data else (*others, _UTF8):
        text, fits = _decode_as(data, other)
        if fits:
            return text
    return None


def decode(data: bytes, charset: CharacterSet, assumed: str = "") -> Decoded:
    """Return the text of one value field, delimiters included, padding kept.

    UTF-8 goes first where none or an ASCII or Latin-1 set is declared and every byte fits it (in
    Latin-1 such text would be gibberish). Where the declared set cannot be right, the assumed one
    and UTF-8 are tried. Each departure is marked.
    """
    if data.isascii() and b"\x1b" not in data:
        return Decoded(data.decode("ascii"))
    marks = () if charset.known else (UNKNOWN,)
    unlike = MISDECLARED if charset.declared else UNDECLARED
    if charset.upper in ("ascii", "latin-1") and b"\x1b" not in data:
        text, fits = decode_escaped(data, "utf-8")
        if fits:
            return Decoded(text, (*marks, unlike))
    text, fits = _decode_as(data, charset)
    if fits:
        return Decoded(text, marks if charset.declared else (*marks, UNDECLARED))
    other = _instead(data, charset, assumed)
    if other is not None:
        return Decoded(other, (*marks, unlike))
    return Decoded(text, (*marks, UNDECODABLE))
