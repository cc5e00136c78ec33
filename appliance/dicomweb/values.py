"""Encoded values to DICOM JSON values (PS3.5 6.2, PS3.18 F.2), one value representation at a time."""

from __future__ import annotations

import base64
from array import array
from collections.abc import Mapping
from struct import iter_unpack
from types import MappingProxyType
from typing import Any, Final

from appliance.dicomweb.dicom_json import Member, finite, member, value_of
from appliance.model.charsets import CharacterSet, character_set, decode

NUMBERS: Final[Mapping[str, str]] = MappingProxyType(
    {"US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d"}
)
# Width in bytes of the words that big-endian encoding swaps.
WORDS: Final[Mapping[str, int]] = MappingProxyType({"OB": 1, "UN": 1, "OW": 2, "OL": 4, "OF": 4, "OD": 8, "OV": 8})
_ARRAYS: Final[Mapping[int, str]] = MappingProxyType({2: "H", 4: "I", 8: "Q"})

# Text in the data set's character set; every other text is ASCII.
CHARSET_VRS: Final = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
# One value, in which a backslash is a character like any other.
_UNDIVIDED: Final = frozenset({"LT", "ST", "UT", "UR"})
_KEEP_LEADING_SPACE: Final = frozenset({"LT", "ST", "UT", "UC", "UR"})
_DEFAULT: Final = character_set("")


def little_endian(vr: str, data: bytes, big_endian: bool) -> bytes:
    """Return the bytes of a binary value in little endian, the order of bulk data and of InlineBinary."""
    width = WORDS.get(vr, 1)
    if not big_endian or width == 1:
        return data
    words = array(_ARRAYS[width], data[: len(data) // width * width])
    words.byteswap()
    return words.tobytes()


def _numbers(vr: str, data: bytes, big_endian: bool) -> list[Any]:
    letter = NUMBERS[vr]
    width = array(letter).itemsize if letter not in "Ii" else 4
    order = ">" if big_endian else "<"
    unpacked = iter_unpack(f"{order}{letter}", data[: len(data) // width * width])
    if letter in "fd":
        return [finite(number) for (number,) in unpacked]
    return [number for (number,) in unpacked]


def _tags(data: bytes, big_endian: bool) -> list[str]:
    pairs = iter_unpack(">HH" if big_endian else "<HH", data[: len(data) // 4 * 4])
    return [f"{group:04X}{number:04X}" for group, number in pairs]


def _texts(vr: str, data: bytes, charset: CharacterSet, assumed: str) -> list[Any]:
    text = decode(data, charset if vr in CHARSET_VRS else _DEFAULT, assumed).text
    pieces = [text] if vr in _UNDIVIDED else text.split("\\")
    padding = " \0"
    stripped = (piece.rstrip(padding) if vr in _KEEP_LEADING_SPACE else piece.strip(padding) for piece in pieces)
    return [value_of(vr, piece) for piece in stripped]


def encode_member(vr: str, data: bytes, big_endian: bool, charset: CharacterSet, assumed: str) -> Member:
    """Return the JSON member of an element that is no sequence. Nothing is lost or refused:

    a number that is none is given as text, a VR we do not know as InlineBinary.
    """
    if vr in NUMBERS:
        return member(vr, _numbers(vr, data, big_endian))
    if vr == "AT":
        return member(vr, _tags(data, big_endian))
    if vr in WORDS or not (vr.isascii() and vr.isalpha()):
        if not data:
            return {"vr": vr}
        return {
            "vr": vr,
            "InlineBinary": base64.b64encode(little_endian(vr, data, big_endian)).decode("ascii"),
        }
    return member(vr, _texts(vr, data, charset, assumed))
