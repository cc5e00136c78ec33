"""A scanner for encoded data sets (PS3.5 chapter 7): structure checked to the last byte, in one pass.

It holds no tree and does not recurse: nesting is a stack of bounded height, values that nobody wants
are passed over by position. What it accepts ends exactly where the data set ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as Those
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from appliance.archive.header_error import HeaderError
from appliance.archive.window import Window

UNDEFINED: Final = 0xFFFFFFFF
ITEM: Final = 0xFFFEE000
ITEM_END: Final = 0xFFFEE00D
SEQUENCE_END: Final = 0xFFFEE0DD
PIXEL_DATA: Final = 0x7FE00010

# A real header has some thousand elements, an enhanced multi-frame some million; this bounds time.
MOST_ELEMENTS: Final = 10_000_000
MOST_ROOT_ELEMENTS: Final = 100_000

_SHORT_VRS: Final = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_LONG_VRS: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_FRAGMENT_VRS: Final = frozenset({b"OB", b"OW"})
_OPENING_VRS: Final = frozenset({b"SQ", b"UN", b""})
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


class _Frame(NamedTuple):
    """An open sequence or item; without `defined` it ends at a delimiter, at the latest at `end`."""

    is_sequence: bool
    defined: bool
    end: int
    encoding: Encoding


@lru_cache(maxsize=8192)
def _is_public_sequence(tag: int) -> bool:
    """Say whether the dictionary has a sequence here, which implicit VR does not mark as such."""
    return dictionary_has_tag(tag) and dictionary_VR(tag) == "SQ"


def _tag_text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


def actual_encoding(window: Window, declared: Encoding) -> Encoding:
    """Return the encoding the first element is really in: explicit and implicit VR get confused."""
    if window.length < 8 or declared is EXPLICIT_BIG:
        return declared
    vr = window.take(0, 8)[4:6]
    if declared.implicit:
        return EXPLICIT_LITTLE if vr in _SHORT_VRS or vr in _LONG_VRS else declared
    return declared if vr.isalpha() and vr.isupper() else IMPLICIT_LITTLE


class Scanner:
    """One pass over the data set in `window`."""

    def __init__(self, window: Window, encoding: Encoding, max_nesting: int) -> None:
        self._window = window
        self._encoding = encoding
        self._max_nesting = max_nesting
        self._count = 0
        self.padded = False

    def elements(self, wanted: Those[int]) -> Iterator[Element]:
        """Yield the root elements with a `wanted` tag, in the order they stand in.

        The value of an element can be taken from the window until the next one is asked for.
        Raises HeaderError at the first thing that is no data set, at the latest at its end; a tag
        that stands twice in the root is one of them.
        """
        window, encoding, end = self._window, self._encoding, self._window.length
        position = 0
        seen: set[int] = set()
        while position < end:
            if not encoding.implicit:
                position = _pass_over(window, position, encoding, wanted, seen)
            if end - position < 8 and self._is_padding(position):
                return
            element = read_element(window, position, encoding)
            tag, vr, value, length = element
            if tag < FIRST_TAG and self._ends_in_padding(tag, position):
                return
            if tag in seen:
                raise HeaderError(f"The element {_tag_text(tag)} stands twice in the data set.")
            seen.add(tag)
            if len(seen) > MOST_ROOT_ELEMENTS:
                raise HeaderError(f"The data set has more than {MOST_ROOT_ELEMENTS} elements.")
            if length == UNDEFINED or vr == b"SQ" or (vr in _VAGUE_VRS and _is_public_sequence(tag)):
                position = self._structure(element, end, encoding)
                continue
            position = value + length
            if position > end:
                raise _too_long(tag)
            if tag in wanted:
                yield element

    def _is_padding(self, position: int) -> bool:
        """Say whether nothing but zeros follows, which some writers leave behind."""
        end = self._window.length
        while position < end:
            size = min(4096, end - position)
            if any(self._window.take(position, size)):
                return False
            position += size
        self.padded = True
        return True

    def _ends_in_padding(self, tag: int, position: int) -> bool:
        if tag == 0 and self._is_padding(position):
            return True
        # A reader of the stored file would take group 0002 here for our own file meta information.
        raise HeaderError(f"The element {_tag_text(tag)} may not stand in a data set.")

    def _structure(self, element: Element, end: int, encoding: Encoding) -> int:
        """Walk through a sequence or through encapsulated pixel data; returns where it ends."""
        tag, vr, value, length = element
        if length == UNDEFINED and (vr in _FRAGMENT_VRS or (tag == PIXEL_DATA and vr != b"SQ")):
            return self._fragments(value, end, encoding)
        return self._sequence(self._opened(element, end, encoding), value)

    def _opened(self, element: Element, end: int, encoding: Encoding) -> _Frame:
        """Return the frame of the sequence that `element`, standing before `end`, opens."""
        tag, vr, value, length = element
        if length == UNDEFINED and vr not in _OPENING_VRS:
            raise HeaderError(f"The element {_tag_text(tag)} has no length, and is no sequence.")
        # Inside an element of unknown VR everything is implicit little endian (PS3.5 6.2.2).
        inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
        return _frame(True, tag, value, length, end, inner)

    def _sequence(self, frame: _Frame, position: int) -> int:
        """Walk from the first byte of a sequence's value to its end, which is returned."""
        stack = [frame]
        while stack:
            frame = stack[-1]
            if position >= frame.end:
                if position > frame.end or not frame.defined:
                    raise HeaderError("A sequence or item does not end where it should.")
                stack.pop()
                continue
            self._count += 1
            if self._count > MOST_ELEMENTS:
                raise HeaderError(f"The data set has more than {MOST_ELEMENTS} nested elements.")
            if frame.is_sequence:
                position = self._next_item(stack, position)
            else:
                position = self._next_nested(stack, position)
            if len(stack) > 2 * self._max_nesting:
                raise HeaderError(f"Sequences are nested more than {self._max_nesting} deep.")
        return position

    def _next_item(self, stack: list[_Frame], position: int) -> int:
        frame = stack[-1]
        tag, length = _item_header(self._window, position, frame.encoding)
        value = position + 8
        if tag == ITEM:
            stack.append(_frame(False, tag, value, length, frame.end, frame.encoding))
        elif tag == SEQUENCE_END:
            stack.pop()
            return _closed(frame, value)
        else:
            raise HeaderError("Something that is no item stands in a sequence.")
        return value

    def _next_nested(self, stack: list[_Frame], position: int) -> int:
        frame = stack[-1]
        element = read_element(self._window, position, frame.encoding)
        tag, vr, value, length = element
        if tag == ITEM_END:
            stack.pop()
            return _closed(frame, value)
        if length == UNDEFINED and (vr in _FRAGMENT_VRS or tag == PIXEL_DATA):
            return self._fragments(value, frame.end, frame.encoding)
        if length == UNDEFINED or vr == b"SQ" or (vr in _VAGUE_VRS and _is_public_sequence(tag)):
            stack.append(self._opened(element, frame.end, frame.encoding))
            return value
        if value + length > frame.end:
            raise _too_long(tag)
        return value + length

    def _fragments(self, position: int, end: int, encoding: Encoding) -> int:
        """Walk encapsulated pixel data, fragment by fragment, to its delimiter (PS3.5 A.4)."""
        while position + 8 <= end:
            tag, length = _item_header(self._window, position, encoding)
            position += 8
            if tag == SEQUENCE_END:
                return position
            if tag != ITEM or length > end - position:
                raise HeaderError("The encapsulated pixel data are damaged or cut short.")
            position += length
        raise HeaderError("The encapsulated pixel data end before their delimiter.")


def _pass_over(window: Window, position: int, encoding: Encoding, wanted: Those[int], seen: set[int]) -> int:
    """Pass over the plain elements in the window that nobody wants, quickly; returns the first other one.

    It decides nothing: whatever is unusual is left to the caller.
    """
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


def _item_header(window: Window, position: int, encoding: Encoding) -> tuple[int, int]:
    index = window.index(position, 8)
    group, number, length = encoding.implicit_header.unpack_from(window.buffer, index)
    return group << 16 | number, length


def _frame(is_sequence: bool, tag: int, value: int, length: int, end: int, encoding: Encoding) -> _Frame:
    if length == UNDEFINED:
        return _Frame(is_sequence, False, end, encoding)
    if value + length > end:
        raise _too_long(tag)
    return _Frame(is_sequence, True, value + length, encoding)


def _closed(frame: _Frame, position: int) -> int:
    """Return where to go on after a delimiter; one that a defined length made needless must end it."""
    if frame.defined and position != frame.end:
        raise HeaderError("A delimiter stands in the middle of a sequence.")
    return position


def _too_long(tag: int) -> HeaderError:
    return HeaderError(f"The element {_tag_text(tag)} is longer than what is left for it.")
