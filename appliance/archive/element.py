"""Encoded data elements (PS3.5 7.1): the header of one, in each encoding."""

from __future__ import annotations

from collections.abc import Set as Those
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from appliance.archive.window import Window

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

_SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
FRAGMENT_VRS: Final = frozenset({b"OB", b"OW"})
OPENING_VRS: Final = frozenset({b"SQ", b"UN", b""})
# What may hold a sequence without saying so.
_VAGUE_VRS: Final = frozenset({b"UN", b""})

# Groups below 0008 belong to commands, to the file meta information and to directories.
FIRST_TAG: Final = 0x00080000


class Encoding(NamedTuple):
    """How elements are encoded: structs of an explicit header, of a long length, of an implicit header."""

    implicit: bool
    explicit_header: Struct
    long_length: Struct
    implicit_header: Struct


EXPLICIT_LITTLE: Final = Encoding(False, Struct("<HH2sH"), Struct("<I"), Struct("<HHI"))
EXPLICIT_BIG: Final = Encoding(False, Struct(">HH2sH"), Struct(">I"), Struct(">HHI"))
IMPLICIT_LITTLE: Final = EXPLICIT_LITTLE._replace(implicit=True)


# One element: its tag, its VR (b"" where the encoding does not say it), the position and the length
# of its value. A plain tuple, because a data set has many.
Element = tuple[int, bytes, int, int]


@lru_cache(maxsize=8192)
def is_public_sequence(tag: int) -> bool:
    """Say whether the dictionary has a sequence here, which implicit VR does not mark as such."""
    # With the first object: rooms that read none are spared the dictionary.
    from pydicom.datadict import dictionary_has_tag, dictionary_VR

    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def may_be_sequence(tag: int, vr: bytes) -> bool:
    """Say whether an element of defined length is a sequence, whether its VR says so or not."""
    return vr == b"SQ" or (vr in _VAGUE_VRS and is_public_sequence(tag))


def actual_encoding(window: Window, declared: Encoding) -> Encoding:
    """Return the encoding the first element is really in: explicit and implicit VR get confused."""
    if window.length < 8 or declared is EXPLICIT_BIG:
        return declared
    vr = window.take(0, 8)[4:6]
    if declared.implicit:
        return EXPLICIT_LITTLE if vr in _SHORT_VRS or vr in _LONG_VRS else declared
    return declared if vr.isalpha() and vr.isupper() else IMPLICIT_LITTLE


def pass_over(window: Window, position: int, encoding: Encoding, wanted: Those[int], seen: set[int]) -> int:
    """Pass over the plain elements in the window that nobody wants, quickly; returns the first other one.

    It decides nothing: whatever is unusual is left to the caller.
    """
    if encoding.implicit:
        return _pass_over_implicit(window, position, encoding, wanted, seen)
    unpack, buffer, base = encoding.explicit_header.unpack_from, window.buffer, window.base
    index, last = position - base, len(buffer) - 8
    while index <= last:
        group, number, vr, length = unpack(buffer, index)
        tag = group << 16 | number
        if vr not in _SHORT_VRS or tag in wanted or tag in seen or tag < FIRST_TAG:
            break
        if index + length > last:
            break
        seen.add(tag)
        index += 8 + length
    return base + index


def _pass_over_implicit(window: Window, position: int, encoding: Encoding, wanted: Those[int], seen: set[int]) -> int:
    unpack, buffer, base = encoding.implicit_header.unpack_from, window.buffer, window.base
    index, last = position - base, len(buffer) - 8
    while index <= last:
        group, number, length = unpack(buffer, index)
        tag = group << 16 | number
        if tag in wanted or tag in seen or tag < FIRST_TAG or is_public_sequence(tag):
            break
        if index + length > last:
            break
        seen.add(tag)
        index += 8 + length
    return base + index


def read_element(window: Window, position: int, encoding: Encoding) -> Element:
    """Return the element that starts at `position`; its value has not been looked at."""
    index = window.index(position, 8)
    if encoding.implicit:
        group, number, length = encoding.implicit_header.unpack_from(window.buffer, index)
        return group << 16 | number, b"", position + 8, length
    group, number, vr, length = encoding.explicit_header.unpack_from(window.buffer, index)
    if vr in _SHORT_VRS:
        return group << 16 | number, vr, position + 8, length
    tag = group << 16 | number
    if not vr.isalpha() or not vr.isupper():
        # Delimiters have no VR; some writers fall back to implicit VR for single elements.
        (length,) = encoding.long_length.unpack_from(window.buffer, index + 4)
        return tag, b"", position + 8, length
    if vr not in _LONG_VRS and length:
        # A VR of the future has two zero bytes here (PS3.5 7.1.2); without them it is a short one.
        return tag, vr, position + 8, length
    index = window.index(position, 12)
    (length,) = encoding.long_length.unpack_from(window.buffer, index + 8)
    return tag, vr, position + 12, length


def read_item(window: Window, position: int, encoding: Encoding) -> tuple[int, int]:
    """Return tag and length of the item or delimiter at `position`; its header has 8 bytes."""
    index = window.index(position, 8)
    group, number, length = encoding.implicit_header.unpack_from(window.buffer, index)
    return group << 16 | number, length
