"""The header of a data set: bytes to the record the index needs, without a parse of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import BinaryIO, Final

from appliance.archive.element import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    Encoding,
    actual_encoding,
)
from appliance.archive.header_error import HeaderError as HeaderError
from appliance.archive.header_values import Text, convert
from appliance.archive.inflate import InflatedBytes, inflated_length
from appliance.archive.scanner import Nested, Scanner
from appliance.archive.window import Bytes, FileBytes, Window
from appliance.model.attributes import ATTRIBUTES, NESTED, Attribute, Level, Source
from appliance.model.charsets import character_set
from appliance.model.records import Header, Value
from appliance.model.syntaxes import TransferSyntax, find_syntax
from appliance.model.uid import is_valid_uid

MOST_NESTING: Final = 64
MOST_INFLATED: Final = 2 << 30

CUT: Final = "text cut"
OTHER_SYNTAX: Final = "not in the declared transfer syntax"
PADDED: Final = "zeros after the last element"

MOST_ITEMS: Final = 100
_LONGEST_VALUE: Final = 65536
_LONGEST_CHARSET: Final = 256
_SPECIFIC_CHARACTER_SET: Final = 0x00080005
_IDENTITIES: Final = {
    0x0020000D: "StudyInstanceUID",
    0x0020000E: "SeriesInstanceUID",
    0x00080018: "SOPInstanceUID",
    0x00080016: "SOPClassUID",
}
_UNKNOWN_SYNTAX: Final = TransferSyntax("", "")

# tag -> (VR of the element, its value, whether it was cut)
_Raw = dict[int, tuple[str, bytes, bool]]


@cache
def _indexed() -> dict[int, Attribute]:
    return {attribute.tag: attribute for attribute in ATTRIBUTES if attribute.source is Source.HEADER}


@cache
def _wanted() -> frozenset[int]:
    return frozenset({*_indexed(), *_IDENTITIES, _SPECIFIC_CHARACTER_SET})


@cache
def _wanted_nested() -> Mapping[int, frozenset[int]]:
    parents = {attribute.parent for attribute in NESTED}
    return {parent: frozenset(a.tag for a in NESTED if a.parent == parent) for parent in parents}


def _nested(found: Sequence[Nested], reading: Text) -> dict[str, Value]:
    """Return the values of attributes in sequences, of all items joined by backslashes, "" where one has none."""
    items = min(max((element.item for element in found), default=0), MOST_ITEMS)
    values: dict[str, Value] = {}
    for attribute in NESTED:
        texts = [""] * items
        for element in found:
            if element.tag == attribute.tag and element.item <= items:
                value, _ = convert(attribute, element.vr.decode("latin-1"), element.data, reading)
                texts[element.item - 1] = str(value or "").replace("\\", " ")
        if any(texts):
            values[attribute.column] = "\\".join(texts)
    return values


def _declared_encoding(syntax: TransferSyntax) -> Encoding:
    if syntax.big_endian:
        return EXPLICIT_BIG
    return IMPLICIT_LITTLE if syntax.implicit else EXPLICIT_LITTLE


def _open(file: BinaryIO, offset: int, length: int, deflated: bool, max_inflated: int) -> Window:
    source: Bytes = FileBytes(file, offset)
    if not deflated:
        return Window(source, length)
    # Two passes: the first one finds the length without which no element's length can be judged.
    inflated = inflated_length(source, length, max_inflated)
    return Window(InflatedBytes(source, length), inflated)


def _collect(scanner: Scanner, window: Window) -> _Raw:
    raw: _Raw = {}
    for tag, vr, value, length in scanner.elements(_wanted()):
        if length:
            data = window.take(value, min(length, _LONGEST_VALUE))
            raw[tag] = (vr.decode("ascii"), data, length > _LONGEST_VALUE)
    return raw


def _identity(raw: _Raw, tag: int) -> str:
    keyword = _IDENTITIES[tag]
    if tag not in raw:
        raise HeaderError(f"The data set has no {keyword}.")
    # Latin-1 takes every byte; what is no digit or dot then fails the check.
    uid = raw[tag][1].decode("latin-1").strip(" \0")
    if not uid:
        raise HeaderError(f"The data set has no {keyword}.")
    if not is_valid_uid(uid):
        raise HeaderError(f"The {keyword} of the data set is no valid UID.")
    return uid


def _values(raw: _Raw, reading: Text) -> tuple[dict[Level, dict[str, Value]], list[str]]:
    levels: dict[Level, dict[str, Value]] = {level: {} for level in Level}
    marks: list[str] = []
    for tag, attribute in _indexed().items():
        if tag not in raw:
            continue
        vr, data, cut = raw[tag]
        value, words = convert(attribute, vr, data, reading)
        if value is not None:
            levels[attribute.level][attribute.column] = value
        if words or cut:
            marks += (f"{word} in {attribute.keyword}" for word in (*words, *((CUT,) if cut else ())))
    return levels, marks


def read_header(
    file: BinaryIO,
    offset: int,
    length: int,
    transfer_syntax_uid: str,
    *,
    assumed_charset: str = "",
    max_nesting: int = MOST_NESTING,
    max_inflated: int = MOST_INFLATED,
) -> Header:
    """Return what the index needs of the data set that is bytes [offset, offset + length) of `file`.

    The whole structure is checked, pixel data included, by seeking over the values: an object
    that passes is complete. Memory stays below about 1 MB. Raises HeaderError, whose text is a
    plain sentence without patient data, for anything that is no data set with the four UIDs that
    name an instance; errors of the file system pass through. The file position moves.
    """
    syntax = find_syntax(transfer_syntax_uid) or _UNKNOWN_SYNTAX
    window = _open(file, offset, length, syntax.deflated, max_inflated)
    declared = _declared_encoding(syntax)
    encoding = actual_encoding(window, declared)
    scanner = Scanner(window, encoding, max_nesting, nested=_wanted_nested())
    raw = _collect(scanner, window)
    study_uid, series_uid, sop_uid, sop_class_uid = (_identity(raw, tag) for tag in _IDENTITIES)
    declared_charset = raw.get(_SPECIFIC_CHARACTER_SET, ("", b"", False))[1][:_LONGEST_CHARSET]
    charset = character_set(declared_charset.decode("latin-1"), assumed_charset)
    reading = Text(charset, assumed_charset, syntax.big_endian)
    levels, marks = _values(raw, reading)
    levels[Level.SERIES] |= _nested(scanner.found, reading)
    if encoding is not declared:
        marks.append(OTHER_SYNTAX)
    if scanner.padded:
        marks.append(PADDED)
    return Header(
        study_uid, series_uid, sop_uid, sop_class_uid,
        levels[Level.STUDY], levels[Level.SERIES], levels[Level.INSTANCE], tuple(marks),
    )  # fmt: skip
