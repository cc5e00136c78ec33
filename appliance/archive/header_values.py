"""The values of indexed attributes: bytes of an element to what the index holds."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from struct import error as StructError
from struct import iter_unpack
from types import MappingProxyType
from typing import Final, NamedTuple

from appliance.model.attributes import Affinity, Attribute
from appliance.model.charsets import CharacterSet, decode
from appliance.model.moments import normalise_date, normalise_time
from appliance.model.records import Value

BAD_NUMBER: Final = "bad number"
BAD_DATE: Final = "bad date or time"
SEVERAL: Final = "several values"
WRONG_VR: Final = "wrong VR"

_BINARY: Final = MappingProxyType({
    "US": "H", "SS": "h", "UL": "I", "SL": "i", "UV": "Q", "SV": "q", "FL": "f", "FD": "d",
})  # fmt: skip
_OPAQUE_VRS: Final = frozenset({"", "UN", "OB", "OW"})
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.0{0,16})?")


class Text(NamedTuple):
    """How the text of one data set is read."""

    charset: CharacterSet
    assumed: str
    big_endian: bool


# A value, None when there is none worth keeping, and the marks its conversion left.
Converted = tuple[Value, tuple[str, ...]]


def _to_integer(text: str) -> Value:
    return int(text.partition(".")[0]) if _INTEGER.fullmatch(text) else None


def _to_real(text: str) -> Value:
    try:
        # Underscores are Python's, not DICOM's.
        number = float(text) if len(text) <= 64 and "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


_SCALARS: Final[MappingProxyType[str, tuple[Callable[[str], Value], str]]] = MappingProxyType({
    "INTEGER": (_to_integer, BAD_NUMBER),
    "REAL": (_to_real, BAD_NUMBER),
    "DA": (normalise_date, BAD_DATE),
    "TM": (normalise_time, BAD_DATE),
})  # fmt: skip


def clean_text(text: str) -> str:
    """Return text without padding around each of its values and without NUL."""
    if "\0" in text:
        text = text.replace("\0", "")
    if "\\" not in text:
        return text.strip()
    return "\\".join(part.strip() for part in text.split("\\"))


def _binary_text(data: bytes, vr: str, big_endian: bool) -> str | None:
    """Return binary numbers as DICOM would write them in text, or None when they have no whole length."""
    try:
        numbers = [number for (number,) in iter_unpack((">" if big_endian else "<") + _BINARY[vr], data)]
    except StructError:
        return None
    return "\\".join(map(str, numbers))


def convert(attribute: Attribute, vr: str, data: bytes, reading: Text) -> Converted:
    """Return the index value of one element.

    `vr` is the one the element has, "" where its encoding does not say. What is no number, date or
    time where the attribute is one gives None and a mark; of several values where the index has
    room for one, the first counts.
    """
    actual = attribute.vr if vr in _OPAQUE_VRS else vr
    marks: tuple[str, ...] = ()
    if actual in _BINARY:
        text = _binary_text(data, actual, reading.big_endian)
        if text is None:
            return None, (WRONG_VR,)
    else:
        text, marks = decode(data, reading.charset, reading.assumed)
        text = clean_text(text)
    kind = attribute.affinity if attribute.affinity is not Affinity.TEXT else attribute.vr
    if not text or kind not in _SCALARS:
        return text or None, marks
    first, several, _ = text.partition("\\")
    to_value, complaint = _SCALARS[kind]
    value = to_value(first)
    if several:
        marks += (SEVERAL,)
    return value, marks if value is not None or not first else (*marks, complaint)
