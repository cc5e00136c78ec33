"""Metadata of one instance: its data set as a DICOM JSON object, bulk data left where they are.

The reader keeps a stack of its own instead of recursing, so that nesting, length and number of
elements are limits here and not accidents. It trusts nothing, although ingest has checked the same
bytes before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from appliance.archive.element import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    PIXEL_DATA,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
    actual_encoding,
    read_element,
)
from appliance.archive.header_error import HeaderError
from appliance.archive.inflate import InflatedBytes, inflated_length
from appliance.archive.window import Bytes, FileBytes, Window
from appliance.dicomweb.dicom_json import Member
from appliance.dicomweb.representations import PIXEL_REPRESENTATION, is_private_creator, representation
from appliance.dicomweb.values import WORDS, encode_member
from appliance.model.charsets import CharacterSet, character_set
from appliance.model.syntaxes import TransferSyntax, find_syntax

Unreadable = HeaderError

MOST_ELEMENTS: Final = 300_000
MOST_NESTING: Final = 64
MOST_INFLATED: Final = 2 << 30
LONGEST_BINARY: Final = 1024
LONGEST_VALUE: Final = 65536
_PADDING: Final = 0xFFFCFFFC
_SPECIFIC_CHARACTER_SET: Final = 0x00080005

Document = dict[str, Member]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bulk value stands: position and length in the (inflated) data set, VR and byte order."""

    position: int
    length: int
    vr: str
    big_endian: bool


@dataclass(frozen=True, slots=True)
class Encoded:
    """The encoded data set of one instance: bytes [offset, offset + length) of an open file."""

    file: BinaryIO
    offset: int
    length: int
    transfer_syntax_uid: str
    assumed_charset: str = ""

    @property
    def syntax(self) -> TransferSyntax:
        """The transfer syntax; an unknown one counts as explicit VR little endian."""
        return find_syntax(self.transfer_syntax_uid) or TransferSyntax("", "")

    def source(self) -> Bytes:
        """Return a fresh reader of the data set, inflated where it is deflated."""
        raw = FileBytes(self.file, self.offset)
        return InflatedBytes(raw, self.length) if self.syntax.deflated else raw

    def window(self) -> Window:
        """Return a fresh window on the data set. Raises Unreadable for a deflate bomb."""
        if not self.syntax.deflated:
            return Window(self.source(), self.length)
        length = inflated_length(FileBytes(self.file, self.offset), self.length, MOST_INFLATED)
        return Window(self.source(), length)


@dataclass(slots=True)
class _Item:
    """A data set being read, the root or a sequence item, and what holds for its elements."""

    document: Document
    path: str
    end: int
    encoding: Encoding
    charset: CharacterSet
    signed: bool
    creators: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Sequence:
    """An open sequence; it ends at `end`, or before it at a delimiter."""

    items: list[Document]
    path: str
    end: int
    encoding: Encoding
    parent: _Item


class _Reader:
    """One pass over one data set."""

    def __init__(self, encoded: Encoded, bulk_uri: Callable[[str], str]) -> None:
        self.window = encoded.window()
        self.bulk_uri = bulk_uri
        self.assumed = encoded.assumed_charset
        self.places: dict[str, Place] = {}
        self.stack: list[_Item | _Sequence] = []
        self.count = 0
        syntax = encoded.syntax
        declared = EXPLICIT_BIG if syntax.big_endian else IMPLICIT_LITTLE if syntax.implicit else EXPLICIT_LITTLE
        self.encoding = actual_encoding(self.window, declared)

    def read(self) -> Document:
        charset = character_set("", self.assumed)
        root = _Item({}, "", self.window.length, self.encoding, charset, signed=False)
        self.stack = [root]
        position = 0
        while self.stack:
            frame = self.stack[-1]
            if position >= frame.end or self._is_rest(frame, position):
                self.stack.pop()
            elif isinstance(frame, _Sequence):
                position = self._item(frame, position)
            else:
                position = self._element(frame, position)
            if len(self.stack) > 2 * MOST_NESTING + 1:
                raise Unreadable(f"Sequences are nested more than {MOST_NESTING} deep.")
        return root.document

    def _is_rest(self, frame: _Item | _Sequence, position: int) -> bool:
        """Say whether only the zeros are left that some writers put behind the last element."""
        return len(self.stack) == 1 and (frame.end - position < 8 or self.window.take(position, 4) == b"\0\0\0\0")

    def _item(self, sequence: _Sequence, position: int) -> int:
        tag, length = self._item_header(position, sequence.encoding)
        position += 8
        if tag == SEQUENCE_END:
            self.stack.pop()
        elif tag == ITEM:
            end = sequence.end if length == UNDEFINED else position + length
            if end > sequence.end:
                raise Unreadable("An item is longer than its sequence.")
            document: Document = {}
            sequence.items.append(document)
            path = f"{sequence.path}/{len(sequence.items)}/"
            parent = sequence.parent
            self.stack.append(_Item(document, path, end, sequence.encoding, parent.charset, parent.signed))
        else:
            raise Unreadable("Something that is no item stands in a sequence.")
        return position

    def _item_header(self, position: int, encoding: Encoding) -> tuple[int, int]:
        group, number, length = encoding.implicit_header.unpack(self.window.take(position, 8))
        return group << 16 | number, length

    def _element(self, item: _Item, position: int) -> int:
        self.count += 1
        if self.count > MOST_ELEMENTS:
            raise Unreadable(f"The data set has more than {MOST_ELEMENTS} elements.")
        tag, said, value, length = read_element(self.window, position, item.encoding)
        if tag == ITEM_END:
            self.stack.pop()
            return value
        vr = said.decode("ascii", "replace")
        if vr in ("", "UN"):
            vr = representation(tag, item.creators, item.signed)
        if length == UNDEFINED and (tag == PIXEL_DATA or said in (b"OB", b"OW")):
            return self._skip_fragments(value, item)
        if length == UNDEFINED or vr == "SQ":
            return self._open(item, tag, said, value, length)
        if value + length > item.end:
            raise Unreadable("An element is longer than what is left for it.")
        if tag & 0xFFFF and tag != _PADDING:
            self._put(item, tag, "UN" if vr == "" else vr, said, value, length)
        return value + length

    def _open(self, item: _Item, tag: int, said: bytes, value: int, length: int) -> int:
        end = item.end if length == UNDEFINED else value + length
        if end > item.end:
            raise Unreadable("A sequence is longer than what is left for it.")
        # Inside an element of unknown VR everything is implicit little endian (PS3.5 6.2.2).
        encoding = IMPLICIT_LITTLE if said == b"UN" else item.encoding
        items: list[Document] = []
        item.document[f"{tag:08X}"] = {"vr": "SQ", "Value": items} if length else {"vr": "SQ"}
        self.stack.append(_Sequence(items, f"{item.path}{tag:08X}", end, encoding, item))
        return value

    def _put(self, item: _Item, tag: int, vr: str, said: bytes, value: int, length: int) -> None:
        path = f"{item.path}{tag:08X}"
        big_endian = item.encoding is EXPLICIT_BIG and said != b"UN"
        if length > (LONGEST_BINARY if vr in WORDS else LONGEST_VALUE):
            self.places[path] = Place(value, length, vr, big_endian)
            item.document[f"{tag:08X}"] = {"vr": vr, "BulkDataURI": self.bulk_uri(path)}
            return
        data = self.window.take(value, length) if length else b""
        item.document[f"{tag:08X}"] = encode_member(vr, data, big_endian, item.charset, self.assumed)
        if tag == _SPECIFIC_CHARACTER_SET:
            self._declare(item, data)
        elif tag == PIXEL_REPRESENTATION:
            item.signed = data[:2].strip(b"\0") == b"\1"
        elif is_private_creator(tag):
            item.creators[tag] = data.decode("latin-1").strip(" \0")

    def _declare(self, item: _Item, data: bytes) -> None:
        item.charset = character_set(data[:256].decode("latin-1"), self.assumed)
        # The answer is UTF-8 whatever the data set is in (PS3.18 F.2.2).
        item.document[f"{_SPECIFIC_CHARACTER_SET:08X}"] = {"vr": "CS", "Value": ["ISO_IR 192"]}

    def _skip_fragments(self, position: int, item: _Item) -> int:
        """Pass over encapsulated pixel data; frames are retrieved by their own service."""
        while position + 8 <= item.end:
            tag, length = self._item_header(position, item.encoding)
            position += 8
            if tag == SEQUENCE_END:
                return position
            if tag != ITEM or length > item.end - position:
                break
            position += length
        raise Unreadable("The encapsulated pixel data are damaged or cut short.")


def read_metadata(encoded: Encoded, bulk_uri: Callable[[str], str]) -> tuple[Document, dict[str, Place]]:
    """Return the DICOM JSON object of a data set, in UTF-8, and where its bulk values stand.

    Binary values over LONGEST_BINARY bytes and others over LONGEST_VALUE become the BulkDataURI
    that `bulk_uri` makes of their path ("7FE00010", "00409096/1/00409212": tags and one-based item
    numbers). Encapsulated pixel data, group lengths and padding are left out. Raises Unreadable.
    """
    reader = _Reader(encoded, bulk_uri)
    return reader.read(), reader.places
