"""The DICOM JSON model (PS3.18 annex F): values of a VR to JSON members."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final

from appliance.model.attributes import Attribute
from appliance.model.records import Value

Member = dict[str, Any]

GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
_NOT_FINITE: Final = MappingProxyType({"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"})


def person_name(text: str) -> dict[str, str] | None:
    """Return the component groups of one name, empty ones left out; None for an empty name."""
    groups = dict(zip(GROUPS, (group.strip(" \0") for group in text.split("=")), strict=False))
    return {name: group for name, group in groups.items() if group} or None


def integer(text: str) -> int | str | None:
    """Return an IS value as a number, or as it is written when it is none."""
    try:
        return int(text)
    except ValueError:
        return text or None


def decimal(text: str) -> float | int | str | None:
    """Return a DS value as a number, or as it is written when it is none."""
    try:
        number = float(text)
    except ValueError:
        return text or None
    return finite(number)


def finite(number: float) -> float | int | str:
    """Return a number JSON can carry; the three it cannot, as the strings of PS3.18 F.2.3."""
    if not math.isfinite(number):
        return _NOT_FINITE[str(number)]
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


_BY_VR: Final[Mapping[str, Callable[[str], Any]]] = MappingProxyType({"PN": person_name, "IS": integer, "DS": decimal})


def value_of(vr: str, text: str) -> Any:
    """Return the JSON value of one text value of `vr`; None for an empty one."""
    convert = _BY_VR.get(vr)
    return convert(text) if convert is not None else text or None


def member(vr: str, values: Sequence[Any]) -> Member:
    """Return the JSON member of an element; an empty one has no Value, an empty one of several is null."""
    kept = any(value is not None for value in values)
    return {"vr": vr, "Value": list(values)} if kept else {"vr": vr}


def from_index(attribute: Attribute, value: Value) -> Member:
    """Return the JSON member of an index value: text split at the backslash, numbers as they are."""
    if value is None or value == "":
        return {"vr": attribute.vr}
    if isinstance(value, float):
        return member(attribute.vr, [finite(value)])
    if isinstance(value, int):
        return member(attribute.vr, [value])
    return member(attribute.vr, [value_of(attribute.vr, text) for text in value.split("\\")])


def row_document(attributes: Iterable[Attribute], row: Mapping[str, Value]) -> dict[str, Member]:
    """Return the DICOM JSON object of one search result, in the order of tags.

    `row` maps keywords to index values; an attribute the row does not have is left out. Nested ones
    become the items of their sequence.
    """
    present = [attribute for attribute in attributes if attribute.keyword in row]
    document = {
        attribute.tag_text: from_index(attribute, row[attribute.keyword])
        for attribute in present
        if not attribute.parent
    }
    for parent in {attribute.parent for attribute in present} - {0}:
        document[f"{parent:08X}"] = _sequence([a for a in present if a.parent == parent], row)
    return dict(sorted(document.items()))


def _sequence(attributes: Sequence[Attribute], row: Mapping[str, Value]) -> Member:
    """Return a sequence from the values that its items have, each attribute's joined by backslashes."""
    columns = [str(row[attribute.keyword] or "").split("\\") for attribute in attributes]
    items = [
        {
            attribute.tag_text: member(attribute.vr, [text])
            for attribute, text in zip(attributes, texts, strict=True)
            if text
        }
        for texts in zip_longest(*columns, fillvalue="")
    ]
    kept = [item for item in items if item]
    return {"vr": "SQ", "Value": kept} if kept else {"vr": "SQ"}
