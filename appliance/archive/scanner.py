"""A scanner for encoded data sets (PS3.5 chapter 7): structure checked to the last byte, in one pass.

It holds no tree and does not recurse: nesting is a stack of bounded height, values that nobody wants
are passed over by position. What it accepts ends exactly where the data set ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as Those
from types import MappingProxyType
from typing import Final, NamedTuple

from appliance.archive.element import (
    FIRST_TAG,
    FRAGMENT_VRS,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    OPENING_VRS,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Element,
    Encoding,
    may_be_sequence,
    pass_over,
    read_element,
    read_item,
)
from appliance.archive.header_error import HeaderError
from appliance.archive.window import Window

# A real header has some thousand elements, an enhanced multi-frame some million; this bounds time.
MOST_ELEMENTS: Final = 10_000_000
MOST_ROOT_ELEMENTS: Final = 100_000
LONGEST_NESTED: Final = 1024
_NOTHING: Final[Mapping[int, Those[int]]] = MappingProxyType({})


class Nested(NamedTuple):
    """One element of an item: the item's number in its sequence, from 1, and the value, cut where it is long."""

    item: int
    tag: int
    vr: bytes
    data: bytes


class _Frame(NamedTuple):
    """An open sequence or item; without `defined` it ends at a delimiter, at the latest at `end`."""

    is_sequence: bool
    defined: bool
    end: int
    encoding: Encoding


def _tag_text(tag: int) -> str:
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


class Scanner:
    """One pass over the data set in `window`."""

    def __init__(
        self,
        window: Window,
        encoding: Encoding,
        max_nesting: int,
        structures: Those[int] = frozenset(),
        nested: Mapping[int, Those[int]] = _NOTHING,
    ) -> None:
        """Scan `window`; sequences and encapsulated values with a tag of `structures` are yielded too.

        `nested` names, by tag of a sequence in the root, what is wanted of its items: `found` grows by it.
        """
        self._window = window
        self._structures = structures
        self._encoding = encoding
        self._max_nesting = max_nesting
        self._count = 0
        self._nested = nested
        self._within: Those[int] = frozenset()
        self._item = 0
        self.padded = False
        self.found: list[Nested] = []

    def elements(self, wanted: Those[int]) -> Iterator[Element]:
        """Yield the root elements with a `wanted` tag, in the order they stand in.

        The value of an element can be taken from the window until the next one is asked for.
        Raises HeaderError at the first thing that is no data set, at the latest at its end; a tag
        that stands twice in the root is one of them.
        """
        window, encoding, end = self._window, self._encoding, self._window.length
        position = 0
        seen: set[int] = set()
        while (position := pass_over(window, position, encoding, wanted, seen)) < end:
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
            if length == UNDEFINED or may_be_sequence(tag, vr):
                if tag in self._structures:
                    yield element
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
        if length == UNDEFINED and (vr in FRAGMENT_VRS or (tag == PIXEL_DATA and vr != b"SQ")):
            return self._fragments(value, end, encoding)
        self._within, self._item = self._nested.get(tag, frozenset()), 0
        return self._sequence(self._opened(element, end, encoding), value)

    def _opened(self, element: Element, end: int, encoding: Encoding) -> _Frame:
        """Return the frame of the sequence that `element`, standing before `end`, opens."""
        tag, vr, value, length = element
        if length == UNDEFINED and vr not in OPENING_VRS:
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
            step = self._next_item if frame.is_sequence else self._next_nested
            position = step(stack, position)
            if len(stack) > 2 * self._max_nesting:
                raise HeaderError(f"Sequences are nested more than {self._max_nesting} deep.")
        return position

    def _next_item(self, stack: list[_Frame], position: int) -> int:
        frame = stack[-1]
        tag, length = read_item(self._window, position, frame.encoding)
        value = position + 8
        if tag == ITEM:
            self._item += len(stack) == 1
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
        if length == UNDEFINED and (vr in FRAGMENT_VRS or tag == PIXEL_DATA):
            return self._fragments(value, frame.end, frame.encoding)
        if length == UNDEFINED or may_be_sequence(tag, vr):
            stack.append(self._opened(element, frame.end, frame.encoding))
            return value
        if value + length > frame.end:
            raise _too_long(tag)
        if tag in self._within and len(stack) == 2:
            data = self._window.take(value, min(length, LONGEST_NESTED))
            self.found.append(Nested(self._item, tag, vr, data))
        return value + length

    def _fragments(self, position: int, end: int, encoding: Encoding) -> int:
        """Walk encapsulated pixel data, fragment by fragment, to its delimiter (PS3.5 A.4)."""
        while position + 8 <= end:
            tag, length = read_item(self._window, position, encoding)
            position += 8
            if tag == SEQUENCE_END:
                return position
            if tag != ITEM or length > end - position:
                raise HeaderError("The encapsulated pixel data are damaged or cut short.")
            position += length
        raise HeaderError("The encapsulated pixel data end before their delimiter.")


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
